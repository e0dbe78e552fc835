package registry

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// imageFilter is the filter of DescribeImages and ListImages. The preset is active images, with and
// without tags.
type imageFilter struct {
	tags   types.TagStatus
	status types.ImageStatusFilter
}

func newImageFilter(tags types.TagStatus, status types.ImageStatusFilter) (imageFilter, error) {
	if tags != "" && !slices.Contains(tags.Values(), tags) {
		return imageFilter{}, invalidParameter("filter.tagStatus", "must be one of %v", tags.Values())
	}
	if status != "" && !slices.Contains(status.Values(), status) {
		return imageFilter{}, invalidParameter("filter.imageStatus", "must be one of %v", status.Values())
	}
	if status == "" {
		status = types.ImageStatusFilterActive
	}
	return imageFilter{tags: tags, status: status}, nil
}

func (f imageFilter) match(rec *imageRecord, at time.Time) bool {
	return (f.status == types.ImageStatusFilterAny || string(f.status) == string(rec.status(at))) && f.matchTags(rec.Tags)
}

func (f imageFilter) matchTags(tags []string) bool {
	switch f.tags {
	case types.TagStatusTagged:
		return len(tags) > 0
	case types.TagStatusUntagged:
		return len(tags) == 0
	default:
		return true
	}
}

// each calls f for the images behind the page's key, by digest, until f says stop.
func (repo *repository) each(p page, f func(*imageRecord) (more bool)) error {
	c := repo.images().Cursor()
	for k, data := seekAfter(c, p.after); k != nil; k, data = c.Next() {
		repo.registry.store.trim(repo.bucket.Tx())
		var rec imageRecord
		if err := parseJSON(k, data, &rec); err != nil {
			return err
		}
		if !f(&rec) {
			return nil
		}
	}
	return nil
}

// DescribeImages shows the images of a repository by digest, or those named. Errors:
// RepositoryNotFound, ImageNotFound, InvalidParameter (identifiers exclude paging and filter).
func (r *Registry) DescribeImages(_ context.Context, in *ecr.DescribeImagesInput) (*ecr.DescribeImagesOutput, error) {
	out := &ecr.DescribeImagesOutput{ImageDetails: []types.ImageDetail{}}
	if len(in.ImageIds) > 0 {
		if in.MaxResults != nil || in.NextToken != nil {
			return nil, invalidParameter("imageIds", "must not be given with maxResults or nextToken")
		}
		return out, r.describeNamed(in, out)
	}
	var filter types.DescribeImagesFilter
	if in.Filter != nil {
		filter = *in.Filter
	}
	f, err := newImageFilter(filter.TagStatus, filter.ImageStatus)
	if err != nil {
		return nil, err
	}
	p, err := newPage("DescribeImages", in.NextToken, in.MaxResults, 100, 1000)
	if err != nil {
		return nil, err
	}
	err = r.view(in.RepositoryName, func(repo *repository) error {
		c, err := r.scanning(repo.bucket.Tx())
		if err != nil {
			return err
		}
		last := ""
		return repo.each(p, func(rec *imageRecord) bool {
			if !f.match(rec, r.now()) {
				return true
			}
			if len(out.ImageDetails) == p.size {
				out.NextToken = p.next(last)
				return false
			}
			out.ImageDetails = append(out.ImageDetails, repo.detail(rec, c))
			last = rec.Digest
			return true
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (r *Registry) describeNamed(in *ecr.DescribeImagesInput, out *ecr.DescribeImagesOutput) error {
	if err := checkImageIDs(in.ImageIds); err != nil {
		return err
	}
	return r.view(in.RepositoryName, func(repo *repository) error {
		c, err := r.scanning(repo.bucket.Tx())
		if err != nil {
			return err
		}
		for _, id := range in.ImageIds {
			rec, failure, err := repo.resolve(id)
			switch {
			case err != nil:
				return err
			case failure != nil && failure.FailureCode == types.ImageFailureCodeImageNotFound:
				return r.imageNotFound(repo.record.Name, id)
			case failure != nil:
				return invalidParameter("imageIds", "%s", *failure.FailureReason)
			}
			out.ImageDetails = append(out.ImageDetails, repo.detail(rec, c))
		}
		return nil
	})
}

func (repo *repository) detail(rec *imageRecord, c *scanningConfiguration) types.ImageDetail {
	r := repo.registry
	d := types.ImageDetail{
		ImageDigest:            aws.String(rec.Digest),
		ImageManifestMediaType: aws.String(rec.MediaType),
		ImagePushedAt:          aws.Time(rec.PushedAt),
		ImageSizeInBytes:       aws.Int64(rec.Size),
		ImageStatus:            rec.status(r.now()),
		ImageTags:              rec.Tags,
		RegistryId:             aws.String(r.account),
		RepositoryName:         aws.String(repo.record.Name),
	}
	d.LastRecordedPullTime, d.LastArchivedAt = timeOrNil(rec.PulledAt), timeOrNil(rec.ArchivedAt)
	if d.ImageStatus != types.ImageStatusActivating {
		d.LastActivatedAt = timeOrNil(rec.ActivatedAt)
	}
	if rec.ArtifactType != "" {
		d.ArtifactMediaType = aws.String(rec.ArtifactType)
	}
	if rec.Subject != "" {
		d.SubjectManifestDigest = aws.String(rec.Subject)
	}
	// "The new version of basic scanning doesn't use" these two (API reference of DescribeImages).
	if scan := repo.scan(rec, c, r.now()); c.enhanced() && scan != nil {
		d.ImageScanStatus = scan.status
		if f := scan.findings; f != nil {
			d.ImageScanFindingsSummary = &types.ImageScanFindingsSummary{
				FindingSeverityCounts: f.FindingSeverityCounts, ImageScanCompletedAt: f.ImageScanCompletedAt, VulnerabilitySourceUpdatedAt: f.VulnerabilitySourceUpdatedAt,
			}
		}
	}
	return d
}

// ListImages lists the images of a repository, one identifier for each tag and one for an image
// without. Errors: RepositoryNotFound, InvalidParameter.
func (r *Registry) ListImages(_ context.Context, in *ecr.ListImagesInput) (*ecr.ListImagesOutput, error) {
	var filter types.ListImagesFilter
	if in.Filter != nil {
		filter = *in.Filter
	}
	f, err := newImageFilter(filter.TagStatus, filter.ImageStatus)
	if err != nil {
		return nil, err
	}
	p, err := newPage("ListImages", in.NextToken, in.MaxResults, 100, 1000)
	if err != nil {
		return nil, err
	}
	out := &ecr.ListImagesOutput{ImageIds: []types.ImageIdentifier{}}
	// The key of a page is DIGEST/TAG: an image with many tags may fill several pages.
	after, afterTag, _ := strings.Cut(p.after, "/")
	err = r.view(in.RepositoryName, func(repo *repository) error {
		list := func(rec *imageRecord) bool {
			if !f.match(rec, r.now()) {
				return true
			}
			for _, id := range rec.identifiers() {
				if rec.Digest == after && aws.ToString(id.ImageTag) <= afterTag {
					continue
				}
				if len(out.ImageIds) == p.size {
					last := out.ImageIds[p.size-1]
					out.NextToken = p.next(*last.ImageDigest + "/" + aws.ToString(last.ImageTag))
					return false
				}
				out.ImageIds = append(out.ImageIds, id)
			}
			return true
		}
		if after != "" {
			rec, err := repo.image(after)
			if err != nil {
				return err
			}
			if rec != nil && !list(rec) {
				return nil
			}
		}
		return repo.each(page{after: after}, list)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Tags lists the tags of a repository in their order. Errors: RepositoryNotFound.
func (r *Registry) Tags(_ context.Context, name string) ([]string, error) {
	tags := []string{}
	err := r.view(&name, func(repo *repository) error {
		return repo.tags().ForEach(func(tag, _ []byte) error {
			tags = append(tags, string(tag))
			return nil
		})
	})
	return tags, err
}
