package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// layerMediaType is what ECR says of every layer: it does not know what is in it.
const layerMediaType = "application/vnd.docker.image.rootfs.diff.tar.gzip"

// layerRecord says that a repository has a layer. The bytes are the store's.
type layerRecord struct {
	Size int64 `json:"size"`
	// UnassociatedSince is when the layer came, or when the last image that named it went.
	UnassociatedSince time.Time `json:"unassociatedSince"`
	// Again reports that it was uploaded while it was archived.
	Again bool `json:"again,omitempty"`
}

// layer returns the record of a layer, or nil.
func (repo *repository) layer(digest string) (*layerRecord, error) {
	var rec layerRecord
	ok, err := getJSON(repo.layers(), []byte(digest), &rec)
	if err != nil || !ok {
		return nil, err
	}
	return &rec, nil
}

func (repo *repository) touchLayer(digest string, now time.Time) error {
	rec, err := repo.layer(digest)
	if err != nil || rec == nil {
		return err
	}
	rec.UnassociatedSince = now
	return putJSON(repo.layers(), []byte(digest), rec)
}

// associated reports whether an image of the repository names the layer.
func (repo *repository) associated(digest string) bool {
	for range repo.users(digest) {
		return true
	}
	return false
}

// addLayer adds a layer to the repository whose bytes the store has or is about to have. The caller
// holds store.blobs.
func (repo *repository) addLayer(digest string, size int64) error {
	rec := layerRecord{Size: size, UnassociatedSince: repo.registry.now()}
	if err := putJSON(repo.layers(), []byte(digest), rec); err != nil {
		return err
	}
	return retain(repo.bucket.Tx(), digest, size)
}

// BatchCheckLayerAvailability reports which layers the repository has. Errors: RepositoryNotFound,
// InvalidParameter.
func (r *Registry) BatchCheckLayerAvailability(_ context.Context, in *ecr.BatchCheckLayerAvailabilityInput) (*ecr.BatchCheckLayerAvailabilityOutput, error) {
	if err := checkBatch("layerDigests", len(in.LayerDigests)); err != nil {
		return nil, err
	}
	out := &ecr.BatchCheckLayerAvailabilityOutput{Failures: []types.LayerFailure{}, Layers: []types.Layer{}}
	err := r.view(in.RepositoryName, func(repo *repository) error {
		active := repo.activeAt(r.now())
		for _, digest := range in.LayerDigests {
			switch {
			case digest == "":
				out.Failures = append(out.Failures, types.LayerFailure{
					FailureCode:   types.LayerFailureCodeMissingLayerDigest,
					FailureReason: aws.String("Invalid request parameters: layer digest cannot be null"),
				})
				continue
			case !ValidDigest(digest):
				out.Failures = append(out.Failures, types.LayerFailure{
					FailureCode:   types.LayerFailureCodeInvalidLayerDigest,
					FailureReason: aws.String("Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"),
					LayerDigest:   aws.String(digest),
				})
				continue
			}
			availability, rec, err := repo.availability(digest, active)
			if err != nil {
				return err
			}
			l := types.Layer{LayerAvailability: availability, LayerDigest: aws.String(digest)}
			if rec != nil {
				l.LayerSize = aws.Int64(rec.Size)
				l.MediaType = aws.String(layerMediaType)
			}
			out.Layers = append(out.Layers, l)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// CheckDownload reports whether GetDownloadUrlForLayer may return a URL for a layer: the repository has
// it and an image that is not archived names it. Errors: RepositoryNotFound, LayersNotFound, LayerInaccessible,
// InvalidParameter.
func (r *Registry) CheckDownload(_ context.Context, in *ecr.GetDownloadUrlForLayerInput) error {
	digest := aws.ToString(in.LayerDigest)
	if err := checkDigest("layerDigest", digest); err != nil {
		return err
	}
	return r.view(in.RepositoryName, func(repo *repository) error {
		rec, err := repo.layer(digest)
		switch {
		case err != nil:
			return err
		case rec == nil:
			return &types.LayersNotFoundException{Message: aws.String(fmt.Sprintf(
				"The layer with digest '%s' does not exist in the repository with name '%s' in the registry with id '%s'", digest, repo.record.Name, r.account))}
		case !repo.associated(digest):
			return &types.LayerInaccessibleException{Message: aws.String(fmt.Sprintf(
				"The layer with digest '%s' in the repository with name '%s' is not accessible because it is not associated with an image. Unassociated image layers may be cleaned up at any time.", digest, repo.record.Name))}
		}
		accessible, err := repo.accessible(digest, repo.activeAt(r.now()))
		if err == nil && !accessible {
			err = &types.LayerInaccessibleException{Message: aws.String(fmt.Sprintf(
				"The layer with digest '%s' in the repository with name '%s' is not accessible because all images that it is associated with are archived", digest, repo.record.Name))}
		}
		return err
	})
}

// OpenLayer opens the bytes of a layer; the caller closes them. The error wraps fs.ErrNotExist when
// the store has no such layer.
func (s *Store) OpenLayer(digest string) (*os.File, error) {
	f, err := os.Open(s.blobPath(digest))
	if err != nil {
		return nil, fmt.Errorf("layer %s: %w", digest, err)
	}
	return f, nil
}

// MountLayer adds a layer of another repository of the same registry, as /v2/ does with the
// account setting BLOB_MOUNTING, and reports whether it could: the setting is on, both repositories are
// encrypted alike, an active image of the source names the layer, and the source is no pull-through cache (Amazon ECR
// user guide, blob mounting).
// Errors: RepositoryNotFound of the target.
func (r *Registry) MountLayer(ctx context.Context, target, source, digest string) (bool, error) {
	setting, err := r.GetAccountSetting(ctx, &ecr.GetAccountSettingInput{Name: aws.String("BLOB_MOUNTING")})
	if err != nil {
		return false, err
	}
	if err := r.createOnPush(&target); err != nil {
		return false, err
	}
	r.store.blobs.RLock()
	defer r.store.blobs.RUnlock()
	mounted := false
	err = r.updateBlobs(&target, func(repo *repository) error {
		mounted = false
		if *setting.Value != "ENABLED" || !ValidDigest(digest) {
			return nil
		}
		from, err := r.repository(repo.bucket.Tx(), source)
		var unknown *types.RepositoryNotFoundException
		if errors.As(err, &unknown) {
			return nil // the client uploads the layer instead
		}
		if err != nil {
			return err
		}
		rec, err := from.layer(digest)
		if err != nil || rec == nil ||
			from.cached() || from.record.EncryptionType != repo.record.EncryptionType || from.record.KMSKey != repo.record.KMSKey {
			return err
		}
		if accessible, err := from.accessible(digest, from.activeAt(r.now())); err != nil || !accessible {
			return err
		}
		mounted = true
		have, own, err := repo.availability(digest, repo.activeAt(r.now()))
		switch {
		case err != nil:
			return err
		case have == types.LayerAvailabilityUnavailable:
			return repo.addLayer(digest, rec.Size)
		case have == types.LayerAvailabilityArchived:
			return repo.takeAgain(digest, own)
		default:
			return nil
		}
	})
	return mounted && err == nil, err
}
