package registry

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// BatchGetImage returns manifests, byte for byte. An image that is missing, that is archived, or whose
// media type is not among the accepted ones if any are given, is a failure in the output. Errors:
// RepositoryNotFound, InvalidParameter.
func (r *Registry) BatchGetImage(_ context.Context, in *ecr.BatchGetImageInput) (*ecr.BatchGetImageOutput, error) {
	if err := checkImageIDs(in.ImageIds); err != nil {
		return nil, err
	}
	out := &ecr.BatchGetImageOutput{Failures: []types.ImageFailure{}, Images: []types.Image{}}
	err := r.view(in.RepositoryName, func(repo *repository) error {
		for _, id := range in.ImageIds {
			rec, failure, err := repo.resolve(id)
			if err != nil {
				return err
			}
			if failure == nil && len(in.AcceptedMediaTypes) > 0 && !slices.Contains(in.AcceptedMediaTypes, rec.MediaType) {
				failure = &types.ImageFailure{
					FailureCode:   types.ImageFailureCodeImageNotFound,
					FailureReason: aws.String("Requested image has the media type " + rec.MediaType + ", which is not among the accepted ones"),
					ImageId:       &id,
				}
			}
			if failure == nil {
				failure = archivedFailure(rec, id, r.now())
			}
			if failure != nil {
				out.Failures = append(out.Failures, *failure)
				continue
			}
			out.Images = append(out.Images, types.Image{
				ImageId:                &types.ImageIdentifier{ImageDigest: aws.String(rec.Digest), ImageTag: id.ImageTag},
				ImageManifest:          aws.String(string(repo.manifests().Get([]byte(rec.Digest)))),
				ImageManifestMediaType: aws.String(rec.MediaType),
				RegistryId:             aws.String(r.account),
				RepositoryName:         in.RepositoryName,
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
