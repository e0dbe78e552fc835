package ecr

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unique"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// StatBlob asks with one BatchCheckLayerAvailability.
func (e *Repository) StatBlob(ctx context.Context, d digest.Digest) (content.Descriptor, error) {
	out, err := e.api.BatchCheckLayerAvailability(ctx, &ecr.BatchCheckLayerAvailabilityInput{
		RegistryId: &e.registry.Account, RepositoryName: &e.repository, LayerDigests: []string{string(d)},
	})
	if err != nil {
		return content.Descriptor{}, e.fail("layer "+string(d), err)
	}
	for _, layer := range out.Layers {
		if aws.ToString(layer.LayerDigest) == string(d) && layer.LayerAvailability == types.LayerAvailabilityAvailable && layer.LayerSize != nil {
			found := content.Descriptor{MediaType: aws.ToString(layer.MediaType), Digest: d, Size: *layer.LayerSize}
			return found, content.CheckDescriptor(found)
		}
	}
	return content.Descriptor{}, fmt.Errorf("%s: blob %s: %w", e, d, content.ErrNotFound)
}

// Images lists the active images with one call for each 1,000 of them.
func (e *Repository) Images(ctx context.Context, tags content.TagFilter) iter.Seq2[content.Image, error] {
	in := &ecr.DescribeImagesInput{RegistryId: &e.registry.Account, RepositoryName: &e.repository, MaxResults: aws.Int32(listPageSize)}
	if tags != content.AnyTags {
		in.Filter = &types.DescribeImagesFilter{TagStatus: types.TagStatus(tags)}
	}
	return func(yield func(content.Image, error) bool) {
		pages := ecr.NewDescribeImagesPaginator(e.api, in, func(o *ecr.DescribeImagesPaginatorOptions) { o.StopOnDuplicateToken = true })
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			e.creation.noteUnlisted(err)
			if err != nil {
				yield(content.Image{}, e.fail("images", err))
				return
			}
			for _, detail := range page.ImageDetails {
				if !yield(listedImage(detail), nil) {
					return
				}
			}
		}
	}
}

// listedImage is an image of an answer. What is kept of it is cloned: a string of the SDK keeps others of the same answer.
func listedImage(from types.ImageDetail) content.Image {
	tags := make([]string, len(from.ImageTags))
	for i, tag := range from.ImageTags {
		tags[i] = strings.Clone(tag)
	}
	slices.Sort(tags)
	return content.Image{
		Digest:       digest.Digest(strings.Clone(aws.ToString(from.ImageDigest))),
		Tags:         tags,
		MediaType:    unique.Make(aws.ToString(from.ImageManifestMediaType)).Value(),
		ArtifactType: unique.Make(aws.ToString(from.ArtifactMediaType)).Value(),
		Subject:      digest.Digest(strings.Clone(aws.ToString(from.SubjectManifestDigest))),
		Size:         aws.ToInt64(from.ImageSizeInBytes),
		PushedAt:     from.ImagePushedAt,
		PulledAt:     from.LastRecordedPullTime,
		Status:       string(from.ImageStatus),
	}
}

// DescribeImage asks with one call.
func (e *Repository) DescribeImage(ctx context.Context, d digest.Digest) (content.Image, error) {
	images, err := e.DescribeImages(ctx, []string{string(d)})
	if err != nil {
		return content.Image{}, err
	}
	return images[0], nil
}

// DescribeImages reports of the images with these tags or digests, in their order,
// with one call for each 100. The error wraps [content.ErrNotFound] if one is missing.
func (e *Repository) DescribeImages(ctx context.Context, references []string) ([]content.Image, error) {
	var images []content.Image
	for chunk := range slices.Chunk(references, batchSize) {
		ids := make([]types.ImageIdentifier, len(chunk))
		for i, reference := range chunk {
			ids[i] = imageIdentifier(reference)
		}
		// Amazon ECR answers in an order of its own.
		out, err := e.api.DescribeImages(ctx, &ecr.DescribeImagesInput{RegistryId: &e.registry.Account, RepositoryName: &e.repository, ImageIds: ids})
		var unknown *types.ImageNotFoundException
		if errors.As(err, &unknown) {
			return nil, fmt.Errorf("%s: %w: %s", e, content.ErrNotFound, auth.Redact(unknown.ErrorMessage()))
		}
		if err != nil {
			return nil, e.fail("images", err)
		}
		for _, reference := range chunk {
			i := slices.IndexFunc(out.ImageDetails, func(detail types.ImageDetail) bool {
				return aws.ToString(detail.ImageDigest) == reference || slices.Contains(detail.ImageTags, reference)
			})
			if i < 0 {
				return nil, &content.ImageNotFoundError{Place: e.String(), Image: reference}
			}
			images = append(images, listedImage(out.ImageDetails[i]))
		}
	}
	return images, nil
}

// imageIdentifier names an image by a tag or digest.
func imageIdentifier(reference string) types.ImageIdentifier {
	if _, err := digest.Parse(reference); err == nil {
		return types.ImageIdentifier{ImageDigest: &reference}
	}
	return types.ImageIdentifier{ImageTag: &reference}
}
