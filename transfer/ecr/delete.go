package ecr

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/deletion"
)

var _ content.Deleter = (*Repository)(nil)

// PlanDelete asks for the images with one DescribeImages for each 100 names, and
// if one of them is missing, with one BatchGetImage more.
func (e *Repository) PlanDelete(ctx context.Context, names []content.ImageName) (content.DeletePlan, error) {
	names = deletion.Unique(names)
	present := names
	images, err := e.described(ctx, names)
	if errors.Is(err, content.ErrNotFound) && !isRepositoryMissing(err) {
		// DescribeImages fails as a whole.
		if present, err = e.present(ctx, names); err == nil {
			images, err = e.described(ctx, present)
		}
	}
	if err != nil {
		return content.DeletePlan{}, err
	}
	return deletion.Plan(images, names), nil
}

func isRepositoryMissing(err error) bool {
	var missing *RepositoryNotFoundError
	return errors.As(err, &missing)
}

// described returns the images of names, each once.
func (e *Repository) described(ctx context.Context, names []content.ImageName) ([]content.Image, error) {
	references := make([]string, len(names))
	for i, n := range names {
		references[i] = n.Tag
		if n.Digest != "" {
			references[i] = string(n.Digest)
		}
	}
	all, err := e.DescribeImages(ctx, references)
	if err != nil {
		return nil, err
	}
	var images []content.Image
	for _, i := range all {
		if !slices.ContainsFunc(images, func(known content.Image) bool { return known.Digest == i.Digest }) {
			images = append(images, i)
		}
	}
	return images, nil
}

// present returns those of names that exist.
func (e *Repository) present(ctx context.Context, names []content.ImageName) ([]content.ImageName, error) {
	var found []content.ImageName
	for chunk := range slices.Chunk(names, batchSize) {
		out, err := e.api.BatchGetImage(ctx, &ecr.BatchGetImageInput{
			RegistryId: &e.registry.Account, RepositoryName: &e.repository, ImageIds: identifiers(chunk),
		})
		if err != nil {
			return nil, e.fail("images", err)
		}
		for _, n := range chunk {
			if !slices.ContainsFunc(out.Failures, func(f types.ImageFailure) bool { return f.ImageId != nil && nameOf(*f.ImageId) == n }) {
				found = append(found, n)
			}
		}
	}
	return found, nil
}

// Delete makes one BatchDeleteImage for each 100 names. An image that an index
// names is refused by Amazon ECR; if the index is among names too, it is asked for
// again when the index is gone. What the API says of each name comes back.
func (e *Repository) Delete(ctx context.Context, names []content.ImageName) (content.Deletions, error) {
	var result content.Deletions
	names = deletion.Unique(names)
	for {
		var again []content.ImageName
		var referenced []*content.DeleteError
		before := len(result.Deleted)
		for chunk := range slices.Chunk(names, batchSize) {
			calling, earlier := awscalls.WithEarlier(ctx)
			out, err := e.api.BatchDeleteImage(calling, &ecr.BatchDeleteImageInput{
				RegistryId: &e.registry.Account, RepositoryName: &e.repository, ImageIds: identifiers(chunk),
			})
			if err != nil {
				result.Failures = append(result.Failures, referenced...)
				return result, e.fail("deletion", err)
			}
			for _, id := range out.ImageIds {
				result.Deleted = append(result.Deleted, nameOf(id))
			}
			for _, f := range out.Failures {
				failure := e.deleteError(f)
				switch {
				case failure.Code == content.CodeReferenced:
					again, referenced = append(again, failure.Name), append(referenced, failure)
				case deletedAs(result, failure):
				case failure.Code == content.CodeImageNotFound && earlier.MayHaveRun(): // an answer was lost
					result.Deleted = append(result.Deleted, failure.Name)
				default:
					result.Failures = append(result.Failures, failure)
				}
			}
		}
		if len(again) == 0 || len(result.Deleted) == before {
			result.Failures = append(result.Failures, referenced...)
			return result, nil
		}
		names = again
	}
}

func (e *Repository) deleteError(f types.ImageFailure) *content.DeleteError {
	failure := &content.DeleteError{Place: e.String(), Code: string(f.FailureCode), Reason: auth.Redact(aws.ToString(f.FailureReason))}
	if f.ImageId != nil {
		failure.Name = nameOf(*f.ImageId)
	}
	return failure
}

func identifiers(names []content.ImageName) []types.ImageIdentifier {
	ids := make([]types.ImageIdentifier, len(names))
	for i, n := range names {
		if n.Tag != "" {
			ids[i].ImageTag = aws.String(n.Tag)
		}
		if n.Digest != "" {
			ids[i].ImageDigest = aws.String(string(n.Digest))
		}
	}
	return ids
}

func nameOf(id types.ImageIdentifier) content.ImageName {
	return content.ImageName{Tag: aws.ToString(id.ImageTag), Digest: digest.Digest(aws.ToString(id.ImageDigest))}
}

// deletedAs reports whether what was not found was deleted under another of its names.
func deletedAs(d content.Deletions, failure *content.DeleteError) bool {
	return failure.Code == content.CodeImageNotFound && slices.ContainsFunc(d.Deleted, func(n content.ImageName) bool {
		return (failure.Name.Digest == "" || n.Digest == failure.Name.Digest) && (failure.Name.Tag == "" || n.Tag == failure.Name.Tag)
	})
}
