package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/lifecycle"
)

// previewLifetime is how long the results of a preview are kept. AWS documents only that they expire.
const previewLifetime = 24 * time.Hour

// keyPreview is where a repository has its last preview: a lifecyclePreview. Its results are in bucketPreviewResults.
var keyPreview = []byte("lifecyclePolicyPreview")

// lifecyclePreview is what a policy would have done with the images when the preview was started.
type lifecyclePreview struct {
	Text          string    `json:"text"`
	StartedAt     time.Time `json:"startedAt"`
	Expiring      int32     `json:"expiring"`
	Transitioning int32     `json:"transitioning"`
}

// status is how far the preview is at a time.
func (p *lifecyclePreview) status(at time.Time, takes time.Duration) types.LifecyclePolicyPreviewStatus {
	switch age := at.Sub(p.StartedAt); {
	case age < takes:
		return types.LifecyclePolicyPreviewStatusInProgress
	case age < takes+previewLifetime:
		return types.LifecyclePolicyPreviewStatusComplete
	default:
		return types.LifecyclePolicyPreviewStatusExpired
	}
}

// preview returns the repository's last preview, or nil. Those of earlier versions, which had their results elsewhere, count
// as none.
func (repo *repository) preview() (*lifecyclePreview, error) {
	if repo.bucket.Bucket(bucketPreviewResults) == nil {
		return nil, nil
	}
	var p lifecyclePreview
	ok, err := getJSON(repo.bucket, keyPreview, &p)
	if err != nil || !ok {
		return nil, err
	}
	return &p, nil
}

// StartLifecyclePolicyPreview begins to find out what a policy, or the repository's own, would do with
// the images that exist now. Errors: RepositoryNotFound, LifecyclePolicyNotFound,
// LifecyclePolicyPreviewInProgress, InvalidParameter (not a policy).
func (r *Registry) StartLifecyclePolicyPreview(_ context.Context, in *ecr.StartLifecyclePolicyPreviewInput) (*ecr.StartLifecyclePolicyPreviewOutput, error) {
	if in.LifecyclePolicyText != nil {
		if _, err := parseLifecycle(in.LifecyclePolicyText); err != nil {
			return nil, err
		}
	}
	out := &ecr.StartLifecyclePolicyPreviewOutput{
		RegistryId: aws.String(r.account), RepositoryName: in.RepositoryName, Status: types.LifecyclePolicyPreviewStatusInProgress,
	}
	// The images of a preview are in memory at once: those of one repository at a time. No other state is restored meanwhile.
	r.store.previews.Lock()
	defer r.store.previews.Unlock()
	var preview lifecyclePreview
	var policy *lifecycle.Policy
	var results []previewRecord
	err := r.update(in.RepositoryName, func(repo *repository) error {
		now, text := r.now(), in.LifecyclePolicyText
		if text == nil {
			stored, err := repo.existingLifecyclePolicy()
			if err != nil {
				return err
			}
			text = &stored.Text
		}
		running, err := repo.preview()
		if err != nil {
			return err
		}
		if running != nil && running.status(now, r.store.previewTime) == types.LifecyclePolicyPreviewStatusInProgress {
			return &types.LifecyclePolicyPreviewInProgressException{Message: aws.String(fmt.Sprintf(
				"The previous lifecycle policy preview of the repository with name '%s' in the registry with id '%s' is still in progress", repo.record.Name, r.account))}
		}
		if policy, err = parseLifecycle(text); err != nil {
			return err
		}
		preview, out.LifecyclePolicyText = lifecyclePreview{Text: *text, StartedAt: now}, text
		return repo.beginPreview()
	})
	if err != nil {
		return nil, err
	}
	err = r.view(in.RepositoryName, func(repo *repository) error {
		images, err := repo.lifecycleImages(preview.StartedAt)
		r.store.forget(repo.bucket.Tx())
		if err == nil {
			results = preview.evaluate(policy, images)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = previewPages(results, func(pages []previewPage) error {
		return r.update(in.RepositoryName, func(repo *repository) error { return repo.addPreviewPages(pages) })
	})
	if err != nil {
		return nil, err
	}
	err = r.update(in.RepositoryName, func(repo *repository) error {
		if err := repo.addPreviewPages(nil); err != nil {
			return err
		}
		return putJSON(repo.bucket, keyPreview, preview)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// GetLifecyclePolicyPreview shows the images that the previewed policy acts on, by digest, or those of
// them that are named. Errors: RepositoryNotFound, LifecyclePolicyPreviewNotFound, InvalidParameter
// (identifiers exclude paging).
func (r *Registry) GetLifecyclePolicyPreview(_ context.Context, in *ecr.GetLifecyclePolicyPreviewInput) (*ecr.GetLifecyclePolicyPreviewOutput, error) {
	if len(in.ImageIds) > 0 {
		if in.MaxResults != nil || in.NextToken != nil {
			return nil, invalidParameter("imageIds", "must not be given with maxResults or nextToken")
		}
		if err := checkImageIDs(in.ImageIds); err != nil {
			return nil, err
		}
	}
	var f imageFilter
	var err error
	if in.Filter != nil {
		if f, err = newImageFilter(in.Filter.TagStatus, types.ImageStatusFilterAny); err != nil {
			return nil, err
		}
	}
	p, err := newPage("GetLifecyclePolicyPreview", in.NextToken, in.MaxResults, 100, 100)
	if err != nil {
		return nil, err
	}
	out := &ecr.GetLifecyclePolicyPreviewOutput{
		RegistryId: aws.String(r.account), RepositoryName: in.RepositoryName, PreviewResults: []types.LifecyclePolicyPreviewResult{},
	}
	err = r.view(in.RepositoryName, func(repo *repository) error {
		preview, err := repo.preview()
		switch {
		case err != nil:
			return err
		case preview == nil:
			return &types.LifecyclePolicyPreviewNotFoundException{Message: aws.String(fmt.Sprintf(
				"Lifecycle policy preview does not exist for the repository with name '%s' in the registry with id '%s'", repo.record.Name, r.account))}
		}
		out.LifecyclePolicyText, out.Status = aws.String(preview.Text), preview.status(r.now(), r.store.previewTime)
		if out.Status != types.LifecyclePolicyPreviewStatusComplete {
			return nil
		}
		out.Summary = preview.summary()
		return repo.eachPreviewResult(p.after, func(result types.LifecyclePolicyPreviewResult) (more bool) {
			switch {
			case !f.matchTags(result.ImageTags),
				len(in.ImageIds) > 0 && !slices.ContainsFunc(in.ImageIds, func(id types.ImageIdentifier) bool { return isNamed(result, id) }):
			case len(out.PreviewResults) == p.size:
				out.NextToken = p.next(*out.PreviewResults[p.size-1].ImageDigest)
				return false
			default:
				out.PreviewResults = append(out.PreviewResults, result)
			}
			return true
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// isNamed reports whether an identifier is about the image of a result.
func isNamed(result types.LifecyclePolicyPreviewResult, id types.ImageIdentifier) bool {
	if id.ImageDigest == nil && id.ImageTag == nil {
		return false
	}
	return (id.ImageDigest == nil || *id.ImageDigest == *result.ImageDigest) &&
		(id.ImageTag == nil || slices.Contains(result.ImageTags, *id.ImageTag))
}

// summary counts all results, whatever the page and the filter.
func (p *lifecyclePreview) summary() *types.LifecyclePolicyPreviewSummary {
	transitioning := p.Transitioning
	s := &types.LifecyclePolicyPreviewSummary{ExpiringImageTotalCount: aws.Int32(p.Expiring)}
	if transitioning > 0 {
		s.TransitioningImageTotalCounts = []types.TransitioningImageTotalCount{{
			ImageTotalCount: &transitioning, TargetStorageClass: types.LifecyclePolicyTargetStorageClassArchive,
		}}
	}
	return s
}
