package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// storage is where an image is kept.
type storage string

const (
	storageStandard storage = ""
	storageArchive  storage = "archive"
	storageRestored storage = "restored" // in the standard class from ActivatedAt on, which may be yet to come
)

// status is what the image is at a time.
func (rec *imageRecord) status(at time.Time) types.ImageStatus {
	switch {
	case rec.Storage == storageArchive:
		return types.ImageStatusArchived
	case rec.Storage == storageRestored && at.Before(rec.ActivatedAt):
		return types.ImageStatusActivating
	default:
		return types.ImageStatusActive
	}
}

func (rec *imageRecord) active(at time.Time) bool { return rec.status(at) == types.ImageStatusActive }

// UpdateImageStorageClass moves an image to the archive, at once, or back, which takes a while. An
// image that is where it shall go, or on its way there, stays as it is. Errors: RepositoryNotFound,
// ImageNotFound, InvalidParameter, ImageStorageClassUpdateNotSupported (an active index lists the
// image; it is being restored).
func (r *Registry) UpdateImageStorageClass(_ context.Context, in *ecr.UpdateImageStorageClassInput) (*ecr.UpdateImageStorageClassOutput, error) {
	if in.ImageId == nil {
		return nil, invalidParameter("imageId", "must not be null")
	}
	target := in.TargetStorageClass
	if target != types.TargetStorageClassStandard && target != types.TargetStorageClassArchive {
		return nil, invalidParameter("targetStorageClass", "must be one of %v", target.Values())
	}
	out := &ecr.UpdateImageStorageClassOutput{RegistryId: aws.String(r.account), RepositoryName: in.RepositoryName}
	err := r.update(in.RepositoryName, func(repo *repository) error {
		rec, err := repo.named(*in.ImageId)
		if err != nil {
			return err
		}
		now := r.now()
		status := rec.status(now)
		switch {
		case target == types.TargetStorageClassArchive && status == types.ImageStatusActive:
			if err := repo.checkArchivable(rec, now); err != nil {
				return err
			}
			if err := repo.archive(rec, now); err != nil {
				return err
			}
		case target == types.TargetStorageClassArchive && status == types.ImageStatusActivating:
			return repo.storageClassNotSupported(rec, "it is being restored")
		case target == types.TargetStorageClassStandard && status == types.ImageStatusArchived:
			// It is then scanned like a new one; what was found before is gone (user guide, restoring an image).
			rec.Storage, rec.ActivatedAt = storageRestored, now.Add(r.store.restoreTime)
			if err := repo.startScan(rec, rec.ActivatedAt); err != nil {
				return err
			}
		}
		out.ImageId = &types.ImageIdentifier{ImageDigest: aws.String(rec.Digest), ImageTag: in.ImageId.ImageTag}
		out.ImageStatus = rec.status(now)
		return repo.saveImage(rec)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// checkArchivable refuses to archive what an active index lists: the index could not be pulled any more.
func (repo *repository) checkArchivable(rec *imageRecord, at time.Time) error {
	var lists []string
	for user := range repo.users(rec.Digest) {
		list, err := repo.image(user)
		if err != nil {
			return err
		}
		if list != nil && list.active(at) {
			lists = append(lists, user)
		}
	}
	if len(lists) > 0 {
		return repo.storageClassNotSupported(rec, fmt.Sprintf("it is referenced by manifest list: [%s]", strings.Join(lists, ", ")))
	}
	return nil
}

func (repo *repository) storageClassNotSupported(rec *imageRecord, why string) error {
	return &types.ImageStorageClassUpdateNotSupportedException{Message: aws.String(fmt.Sprintf(
		"The storage class of the image with digest '%s' in the repository with name '%s' cannot be updated because %s", rec.Digest, repo.record.Name, why))}
}

// archive moves an image to the archive. The caller saves it.
func (repo *repository) archive(rec *imageRecord, at time.Time) error {
	rec.Storage, rec.ArchivedAt = storageArchive, at
	for _, digest := range rec.Layers {
		layer, err := repo.layer(digest)
		if err != nil {
			return err
		}
		if layer != nil && layer.Again {
			layer.Again = false
			if err := putJSON(repo.layers(), []byte(digest), layer); err != nil {
				return err
			}
		}
	}
	return nil
}

// activeAt returns a function that reports whether an image is there, and active at a time. It reads each image once: the
// layers of an image mostly have the same users.
func (repo *repository) activeAt(at time.Time) func(digest string) (bool, error) {
	known := map[string]bool{}
	return func(digest string) (bool, error) {
		active, ok := known[digest]
		if ok {
			return active, nil
		}
		rec, err := repo.image(digest)
		if err != nil {
			return false, err
		}
		known[digest] = rec != nil && rec.active(at)
		return known[digest], nil
	}
}

// accessible reports whether an image that can be pulled names the layer.
func (repo *repository) accessible(digest string, active func(string) (bool, error)) (bool, error) {
	for user := range repo.users(digest) {
		if ok, err := active(user); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// availability reports whether an image that is pushed now can have the layer. A layer that only archived
// images have is archived with them, until it is uploaded again.
func (repo *repository) availability(digest string, active func(string) (bool, error)) (types.LayerAvailability, *layerRecord, error) {
	rec, err := repo.layer(digest)
	switch {
	case err != nil:
		return "", nil, err
	case rec == nil:
		return types.LayerAvailabilityUnavailable, nil, nil
	case rec.Again || !repo.associated(digest):
		return types.LayerAvailabilityAvailable, rec, nil
	}
	accessible, err := repo.accessible(digest, active)
	if err != nil {
		return "", nil, err
	}
	if !accessible {
		return types.LayerAvailabilityArchived, rec, nil
	}
	return types.LayerAvailabilityAvailable, rec, nil
}

// takeAgain keeps a layer that was uploaded, or mounted, while it was archived.
func (repo *repository) takeAgain(digest string, rec *layerRecord) error {
	rec.Again = true
	return putJSON(repo.layers(), []byte(digest), rec)
}

// archivedFailure is why an image cannot be pulled, nil if it can.
func archivedFailure(rec *imageRecord, id types.ImageIdentifier, at time.Time) *types.ImageFailure {
	reason := ""
	switch rec.status(at) {
	case types.ImageStatusArchived:
		reason = "Requested image is archived; restore it before it is pulled"
	case types.ImageStatusActivating:
		reason = "Requested image is being restored from the archive"
	default:
		return nil
	}
	return &types.ImageFailure{FailureCode: types.ImageFailureCodeImageInaccessible, FailureReason: aws.String(reason), ImageId: &id}
}
