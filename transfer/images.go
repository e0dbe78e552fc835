package transfer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/auth"
)

// Image is an image of a repository or a layout, as a list shows it. Its JSON
// form is stable: fields are only added.
type Image struct {
	Digest    digest.Digest `json:"digest,omitempty"`
	Tags      []string      `json:"tags"` // sorted; [] if it has none
	MediaType string        `json:"mediaType,omitempty"`
	// ArtifactType is what Amazon ECR knows of the kind of content: the artifact type
	// of the manifest, else the media type of its config.
	ArtifactType string        `json:"artifactType,omitempty"`
	Subject      digest.Digest `json:"subject,omitempty"` // of a referrer
	// Size is in bytes. Amazon ECR gives that of the layers, and of an index that of
	// its largest image; of a layout it is that of all blobs, each once. 0 is not known.
	Size     int64      `json:"size,omitempty"`
	PushedAt *time.Time `json:"pushedAt,omitempty"`
	// PulledAt is when the image was last pulled, of which Amazon ECR keeps track at
	// least once in 24 hours.
	PulledAt *time.Time `json:"pulledAt,omitempty"`
	Status   string     `json:"status,omitempty"` // ACTIVE, ARCHIVED or ACTIVATING
}

// ImageLister lists the images of an endpoint.
type ImageLister interface {
	// Images lists the images, or those with a tag, or those without, in the order
	// of the endpoint. Where it takes several requests, each is made when its images
	// are asked for. An error ends the list.
	Images(ctx context.Context, tags TagFilter) iter.Seq2[Image, error]
}

// TagFilter says which images are listed.
type TagFilter string

// Which images are listed.
const (
	AnyTags      TagFilter = ""
	TaggedOnly   TagFilter = "TAGGED"
	UntaggedOnly TagFilter = "UNTAGGED"
)

// Images lists the active images with one call for each 1,000 of them.
func (e *ECR) Images(ctx context.Context, tags TagFilter) iter.Seq2[Image, error] {
	in := &ecr.DescribeImagesInput{RegistryId: &e.registry.Account, RepositoryName: &e.repository, MaxResults: aws.Int32(listPageSize)}
	if tags != AnyTags {
		in.Filter = &types.DescribeImagesFilter{TagStatus: types.TagStatus(tags)}
	}
	return func(yield func(Image, error) bool) {
		pages := ecr.NewDescribeImagesPaginator(e.api, in, func(o *ecr.DescribeImagesPaginatorOptions) { o.StopOnDuplicateToken = true })
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Image{}, e.fail("images", err))
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

func listedImage(from types.ImageDetail) Image {
	tags := append([]string{}, from.ImageTags...)
	slices.Sort(tags)
	return Image{
		Digest:       digest.Digest(aws.ToString(from.ImageDigest)),
		Tags:         tags,
		MediaType:    aws.ToString(from.ImageManifestMediaType),
		ArtifactType: aws.ToString(from.ArtifactMediaType),
		Subject:      digest.Digest(aws.ToString(from.SubjectManifestDigest)),
		Size:         aws.ToInt64(from.ImageSizeInBytes),
		PushedAt:     from.ImagePushedAt,
		PulledAt:     from.LastRecordedPullTime,
		Status:       string(from.ImageStatus),
	}
}

// DescribeImage asks with one call.
func (e *ECR) DescribeImage(ctx context.Context, d digest.Digest) (Image, error) {
	images, err := e.DescribeImages(ctx, []string{string(d)})
	if err != nil {
		return Image{}, err
	}
	return images[0], nil
}

// DescribeImages tells of the images with these tags or digests, in their order,
// with one call for each 100. The error wraps [ErrNotFound] if one is not there.
func (e *ECR) DescribeImages(ctx context.Context, references []string) ([]Image, error) {
	var images []Image
	for chunk := range slices.Chunk(references, batchSize) {
		ids := make([]types.ImageIdentifier, len(chunk))
		for i, reference := range chunk {
			ids[i] = imageIdentifier(reference)
		}
		// Amazon ECR answers in an order of its own.
		out, err := e.api.DescribeImages(ctx, &ecr.DescribeImagesInput{RegistryId: &e.registry.Account, RepositoryName: &e.repository, ImageIds: ids})
		var unknown *types.ImageNotFoundException
		if errors.As(err, &unknown) {
			return nil, fmt.Errorf("%s: %w: %s", e, ErrNotFound, auth.Redact(unknown.ErrorMessage()))
		}
		if err != nil {
			return nil, e.fail("images", err)
		}
		for _, reference := range chunk {
			i := slices.IndexFunc(out.ImageDetails, func(detail types.ImageDetail) bool {
				return aws.ToString(detail.ImageDigest) == reference || slices.Contains(detail.ImageTags, reference)
			})
			if i < 0 {
				return nil, fmt.Errorf("%s: image %s: %w", e, reference, ErrNotFound)
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

// DescribeImage finds the image in index.json.
func (l layoutReader) DescribeImage(ctx context.Context, d digest.Digest) (Image, error) {
	for image, err := range l.Images(ctx, AnyTags) {
		if err != nil || image.Digest == d {
			return image, err
		}
	}
	return Image{}, fmt.Errorf("%s has no image %s: %w", l.name, d, ErrNotFound)
}

// Images lists what index.json names, each image once with all its tags.
func (l layoutReader) Images(ctx context.Context, tags TagFilter) iter.Seq2[Image, error] {
	return func(yield func(Image, error) bool) {
		entries, err := l.index()
		if err != nil {
			yield(Image{}, err)
			return
		}
		var order []Descriptor
		named := map[digest.Digest][]string{}
		for _, d := range entries {
			if _, known := named[d.Digest]; !known {
				order = append(order, d)
				named[d.Digest] = []string{}
			}
			if tag := d.Annotations[ocispec.AnnotationRefName]; tag != "" {
				named[d.Digest] = append(named[d.Digest], tag)
			}
		}
		for _, d := range order {
			names := named[d.Digest]
			slices.Sort(names)
			if tags == TaggedOnly && len(names) == 0 || tags == UntaggedOnly && len(names) > 0 {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(Image{}, fmt.Errorf("%s: %w", l.name, err))
				return
			}
			image := Image{Digest: d.Digest, Tags: slices.Compact(names), MediaType: d.MediaType, ArtifactType: d.ArtifactType, Size: l.imageSize(ctx, d)}
			if !yield(image, nil) {
				return
			}
		}
	}
}

// imageSize is the size of all blobs of an image, 0 if the layout has not all of
// its manifests.
func (l layoutReader) imageSize(ctx context.Context, d Descriptor) int64 {
	if d.Size > MaxManifestSize {
		return 0
	}
	roots, err := l.Manifests(ctx, []Descriptor{d})
	if err != nil {
		return 0
	}
	g, err := readTree(ctx, l, roots[0], true)
	if err != nil {
		return 0
	}
	return totalSize(g.Blobs)
}
