package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// BatchDeleteImage removes tags and images. An identifier with a tag removes the tag, and the image
// with its last tag; a digest alone removes the image with all its tags. An image that a manifest
// list names stays, as a failure in the output. Errors: RepositoryNotFound, InvalidParameter.
func (r *Registry) BatchDeleteImage(_ context.Context, in *ecr.BatchDeleteImageInput) (*ecr.BatchDeleteImageOutput, error) {
	if err := checkImageIDs(in.ImageIds); err != nil {
		return nil, err
	}
	out := &ecr.BatchDeleteImageOutput{}
	err := r.update(in.RepositoryName, func(repo *repository) error {
		out.Failures, out.ImageIds = []types.ImageFailure{}, []types.ImageIdentifier{}
		for _, id := range in.ImageIds {
			rec, failure, err := repo.resolve(id)
			if err != nil {
				return err
			}
			if failure == nil {
				failure, err = repo.deleteImage(rec, id, out)
				if err != nil {
					return err
				}
			}
			if failure != nil {
				out.Failures = append(out.Failures, *failure)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (repo *repository) deleteImage(rec *imageRecord, id types.ImageIdentifier, out *ecr.BatchDeleteImageOutput) (*types.ImageFailure, error) {
	removed := rec.Tags
	if tag := aws.ToString(id.ImageTag); tag != "" {
		removed = []string{tag}
	}
	left := slices.DeleteFunc(slices.Clone(rec.Tags), func(t string) bool { return slices.Contains(removed, t) })
	if len(left) == 0 {
		if lists := slices.Collect(repo.users(rec.Digest)); len(lists) > 0 {
			return &types.ImageFailure{
				FailureCode:   types.ImageFailureCodeImageReferencedByManifestList,
				FailureReason: aws.String(fmt.Sprintf("Requested image referenced by manifest list: [%s]", strings.Join(lists, ", "))),
				ImageId:       &id,
			}, nil
		}
	}
	for _, tag := range removed {
		if err := repo.tags().Delete([]byte(tag)); err != nil {
			return nil, err
		}
		out.ImageIds = append(out.ImageIds, types.ImageIdentifier{ImageDigest: aws.String(rec.Digest), ImageTag: aws.String(tag)})
	}
	if len(left) > 0 {
		rec.Tags = left
		return nil, repo.saveImage(rec)
	}
	if len(removed) == 0 {
		out.ImageIds = append(out.ImageIds, types.ImageIdentifier{ImageDigest: aws.String(rec.Digest)})
	}
	return nil, repo.forgetImage(rec, repo.registry.now())
}

// forgetImage removes all that is kept of an image, but its tags. Its layers stay until they expire.
func (repo *repository) forgetImage(rec *imageRecord, at time.Time) error {
	for _, used := range rec.uses() {
		if err := repo.uses().Delete(pairKey(used, rec.Digest)); err != nil {
			return err
		}
	}
	for _, digest := range rec.Layers {
		if err := repo.touchLayer(digest, at); err != nil {
			return err
		}
	}
	if rec.Subject != "" {
		if err := repo.referrers().Delete(pairKey(rec.Subject, rec.Digest)); err != nil {
			return err
		}
	}
	if err := repo.manifests().Delete([]byte(rec.Digest)); err != nil {
		return err
	}
	if err := countUp(repo.images(), -1); err != nil {
		return err
	}
	return repo.images().Delete([]byte(rec.Digest))
}
