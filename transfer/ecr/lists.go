package ecr

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// referrersPage is the most that one ListImageReferrers returns:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html.
const referrersPage = 50

// maxReferrerPages bounds the pages of one list.
const maxReferrerPages = 10_000

var (
	_ content.TagLister      = (*Repository)(nil)
	_ content.ReferrerLister = (*Repository)(nil)
)

// Tags lists the tags with one call for each 1000.
func (e *Repository) Tags(ctx context.Context) ([]string, error) {
	pages := ecr.NewListImagesPaginator(e.api, &ecr.ListImagesInput{
		RegistryId: &e.registry.Account, RepositoryName: &e.repository, MaxResults: aws.Int32(listPageSize),
		Filter: &types.ListImagesFilter{TagStatus: types.TagStatusTagged},
	}, func(o *ecr.ListImagesPaginatorOptions) { o.StopOnDuplicateToken = true })
	var tags []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, e.fail("tags", err)
		}
		for _, id := range page.ImageIds {
			if tag := aws.ToString(id.ImageTag); tag != "" {
				tags = append(tags, tag)
			}
		}
		if len(tags) > v2.MaxListed {
			return nil, fmt.Errorf("%s: %w: it has more than %d tags", e, content.ErrUnsupported, v2.MaxListed)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// FirstTags returns the tags that one ListImages call lists, sorted: up to 1000.
func (e *Repository) FirstTags(ctx context.Context) ([]string, error) {
	page, err := e.api.ListImages(ctx, &ecr.ListImagesInput{
		RegistryId: &e.registry.Account, RepositoryName: &e.repository, MaxResults: aws.Int32(listPageSize),
		Filter: &types.ListImagesFilter{TagStatus: types.TagStatusTagged},
	})
	if err != nil {
		return nil, e.fail("tags", err)
	}
	var tags []string
	for _, id := range page.ImageIds {
		if tag := aws.ToString(id.ImageTag); tag != "" {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// Referrers lists what refers to a manifest and is not archived, with one call for
// each 50, and another to read these manifests: what the list calls their size need
// not be that of the manifest.
func (e *Repository) Referrers(ctx context.Context, subject digest.Digest) ([]content.Descriptor, error) {
	listed, err := e.listReferrers(ctx, subject)
	if err != nil || len(listed) == 0 {
		return nil, err
	}
	if err := e.readSizes(ctx, listed, imagetree.MaxTreeBytes); err != nil {
		return nil, err
	}
	return listed, nil
}

// readSizes finds the sizes of manifests, which may have limit bytes together: anyone who
// may push can have many large ones refer to an image.
func (e *Repository) readSizes(ctx context.Context, listed []content.Descriptor, limit int64) error {
	total := int64(0)
	for chunk := range slices.Chunk(listed, batchSize) {
		manifests, err := e.Manifests(ctx, chunk)
		if err != nil {
			return err
		}
		for i, m := range manifests {
			chunk[i].Size = int64(len(m.Content))
			if err := content.VerifyManifest(m, chunk[i]); err != nil {
				return fmt.Errorf("%s: %w", e, err)
			}
			total += chunk[i].Size
		}
		if total > limit {
			return fmt.Errorf("%s: %w: the manifests that refer to an image have more than %d bytes together", e, content.ErrUnsupported, limit)
		}
	}
	return nil
}

// listReferrers returns the referrers without their sizes.
func (e *Repository) listReferrers(ctx context.Context, subject digest.Digest) ([]content.Descriptor, error) {
	in := &ecr.ListImageReferrersInput{
		RegistryId: &e.registry.Account, RepositoryName: &e.repository, MaxResults: aws.Int32(referrersPage),
		SubjectId: &types.SubjectIdentifier{ImageDigest: aws.String(string(subject))},
		Filter:    &types.ListImageReferrersFilter{ArtifactStatus: types.ArtifactStatusFilterActive},
	}
	var listed []content.Descriptor
	for range maxReferrerPages {
		page, err := e.api.ListImageReferrers(ctx, in)
		var unknown *types.ImageNotFoundException
		if errors.As(err, &unknown) {
			return nil, nil
		}
		if err != nil {
			return nil, e.fail("referrers of "+string(subject), err)
		}
		for _, r := range page.Referrers {
			d := content.Descriptor{MediaType: aws.ToString(r.MediaType), Digest: digest.Digest(aws.ToString(r.Digest)), ArtifactType: aws.ToString(r.ArtifactType), Annotations: r.Annotations}
			if err := content.CheckDescriptor(d); err != nil {
				return nil, fmt.Errorf("%s: referrers of %s: %w", e, subject, err)
			}
			listed = append(listed, d)
		}
		if len(listed) > content.MaxReferrers {
			return nil, fmt.Errorf("%s: %w: more than %d manifests refer to %s", e, content.ErrUnsupported, content.MaxReferrers, subject)
		}
		if page.NextToken == nil {
			return listed, nil
		}
		in.NextToken = page.NextToken // also after a page without any
	}
	return nil, fmt.Errorf("%s: referrers of %s: %w: more than %d pages", e, subject, content.ErrProtocol, maxReferrerPages)
}

var (
	_ content.ImageLister    = (*Repository)(nil)
	_ content.ImageDescriber = (*Repository)(nil)
)

var _ content.BlobStatter = (*Repository)(nil)
