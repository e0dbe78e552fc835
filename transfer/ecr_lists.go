package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
)

// referrersPage is the most that one ListImageReferrers gives:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html.
const referrersPage = 50

// maxReferrerPages bounds the pages of one list.
const maxReferrerPages = 10_000

var (
	_ TagLister      = (*ECR)(nil)
	_ ReferrerLister = (*ECR)(nil)
)

// Tags lists the tags with one call for each 1000.
func (e *ECR) Tags(ctx context.Context) ([]string, error) {
	pages := ecr.NewListImagesPaginator(e.api, &ecr.ListImagesInput{
		RegistryId: &e.registry.Account, RepositoryName: &e.repository, MaxResults: aws.Int32(listPageSize),
		Filter: &types.ListImagesFilter{TagStatus: types.TagStatusTagged},
	})
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
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// Referrers lists what refers to a manifest and is not archived, with one call for
// each 50, and another to read these manifests: what the list calls their size need
// not be that of the manifest.
func (e *ECR) Referrers(ctx context.Context, subject digest.Digest) ([]Descriptor, error) {
	listed, err := e.listReferrers(ctx, subject)
	if err != nil || len(listed) == 0 {
		return nil, err
	}
	if err := e.readSizes(ctx, listed, maxGraphBytes); err != nil {
		return nil, err
	}
	return listed, nil
}

// readSizes finds the sizes of manifests, which may have limit bytes together: anyone who
// may push can have many large ones refer to an image.
func (e *ECR) readSizes(ctx context.Context, listed []Descriptor, limit int64) error {
	total := int64(0)
	for chunk := range slices.Chunk(listed, batchSize) {
		manifests, err := e.Manifests(ctx, chunk)
		if err != nil {
			return err
		}
		for i, m := range manifests {
			chunk[i].Size = int64(len(m.Content))
			if err := verifyManifest(m, chunk[i]); err != nil {
				return fmt.Errorf("%s: %w", e, err)
			}
			total += chunk[i].Size
		}
		if total > limit {
			return fmt.Errorf("%s: %w: the manifests that refer to an image have more than %d bytes together", e, ErrUnsupported, limit)
		}
	}
	return nil
}

// listReferrers gives the referrers without their sizes.
func (e *ECR) listReferrers(ctx context.Context, subject digest.Digest) ([]Descriptor, error) {
	in := &ecr.ListImageReferrersInput{
		RegistryId: &e.registry.Account, RepositoryName: &e.repository, MaxResults: aws.Int32(referrersPage),
		SubjectId: &types.SubjectIdentifier{ImageDigest: aws.String(string(subject))},
		Filter:    &types.ListImageReferrersFilter{ArtifactStatus: types.ArtifactStatusFilterActive},
	}
	var listed []Descriptor
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
			d := Descriptor{MediaType: aws.ToString(r.MediaType), Digest: digest.Digest(aws.ToString(r.Digest)), ArtifactType: aws.ToString(r.ArtifactType), Annotations: r.Annotations}
			if err := checkDescriptor(d); err != nil {
				return nil, fmt.Errorf("%s: referrers of %s: %w", e, subject, err)
			}
			listed = append(listed, d)
		}
		if len(listed) > maxReferrers {
			return nil, fmt.Errorf("%s: %w: more than %d manifests refer to %s", e, ErrUnsupported, maxReferrers, subject)
		}
		if page.NextToken == nil {
			return listed, nil
		}
		in.NextToken = page.NextToken // also after a page without any
	}
	return nil, fmt.Errorf("%s: referrers of %s: %w: more than %d pages", e, subject, errProtocol, maxReferrerPages)
}

var (
	_ ImageLister    = (*ECR)(nil)
	_ ImageDescriber = (*ECR)(nil)
)

var _ BlobStatter = (*ECR)(nil)
