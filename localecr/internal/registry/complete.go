package registry

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// CompleteLayerUpload checks the bytes against the digests and makes them a layer of the repository.
// Errors: RepositoryNotFound, UploadNotFound, EmptyUpload, LayerPartTooSmall, InvalidLayer,
// LayerAlreadyExists, InvalidParameter.
func (r *Registry) CompleteLayerUpload(_ context.Context, in *ecr.CompleteLayerUploadInput) (*ecr.CompleteLayerUploadOutput, error) {
	if err := checkBatch("layerDigests", len(in.LayerDigests)); err != nil {
		return nil, err
	}
	for _, d := range in.LayerDigests {
		if algorithm, hex, ok := strings.Cut(d, ":"); !ok || algorithm == "" || hex == "" {
			return nil, invalidParameter("layerDigests", "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
		}
	}
	u, err := r.lockUpload(in.RepositoryName, in.UploadId)
	if err != nil {
		return nil, err
	}
	defer u.mu.Unlock()
	rec := u.record
	switch {
	case rec.Received == 0:
		return nil, &types.EmptyUploadException{Message: aws.String(fmt.Sprintf("The upload with id '%s' does not contain any layer parts", rec.ID))}
	case rec.TooSmall:
		return nil, &types.LayerPartTooSmallException{Message: aws.String(fmt.Sprintf(
			"Layer parts must be at least %d MiB in size; only the last part of the upload with id '%s' may be smaller", r.store.limits.MinPart>>20, rec.ID))}
	}
	digest, err := u.digest.sum(rec.Received)
	if err != nil {
		return nil, fmt.Errorf("upload %s: %w", rec.ID, err)
	}
	if !slices.Contains(in.LayerDigests, digest) {
		return nil, &types.InvalidLayerException{Message: aws.String(fmt.Sprintf(
			"None of the provided layer digests match the calculated layer digest '%s'", digest))}
	}
	exists, err := r.takeLayer(u, digest)
	if err != nil {
		return nil, err
	}
	u.done = true
	r.store.forgetUpload(u)
	if exists {
		return nil, &types.LayerAlreadyExistsException{Message: aws.String(fmt.Sprintf(
			"The layer with digest '%s' already exists in the repository with name '%s' in the registry with id '%s'", digest, rec.Repository, r.account))}
	}
	return &ecr.CompleteLayerUploadOutput{
		LayerDigest:    aws.String(digest),
		RegistryId:     aws.String(r.account),
		RepositoryName: in.RepositoryName,
		UploadId:       in.UploadId,
	}, nil
}

// takeLayer makes the bytes of a finished upload a layer of its repository, and reports whether it had
// the layer before. Either way the upload is gone from the database.
func (r *Registry) takeLayer(u *upload, digest string) (exists bool, err error) {
	r.store.blobs.RLock()
	defer r.store.blobs.RUnlock()
	if err := r.store.placeBlob(u.path, digest); err != nil {
		return false, fmt.Errorf("layer %s: %w", digest, err)
	}
	err = r.updateBlobs(&u.record.Repository, func(repo *repository) error {
		exists = false
		if repo.bucket.Tx().Bucket(bucketUploads).Get([]byte(u.record.ID)) == nil { // the store was cleared or restored
			return r.uploadNotFound(u.record.Repository, u.record.ID)
		}
		have, layer, err := repo.availability(digest, repo.activeAt(r.now()))
		if err != nil {
			return err
		}
		switch have {
		case types.LayerAvailabilityUnavailable:
			err = repo.addLayer(digest, u.record.Received)
		case types.LayerAvailabilityArchived:
			err = repo.takeAgain(digest, layer)
		default:
			exists = true
		}
		if err != nil {
			return err
		}
		return repo.bucket.Tx().Bucket(bucketUploads).Delete([]byte(u.record.ID))
	})
	return exists, err
}

// forgetUpload removes what this process keeps of an upload that the database no longer has.
func (s *Store) forgetUpload(u *upload) {
	s.mu.Lock()
	delete(s.uploads, u.record.ID)
	s.mu.Unlock()
	_ = os.Remove(u.path) // if this fails, Open does it: nothing names the file any more
}
