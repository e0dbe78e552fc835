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

// Where a repository has its last preview.
var (
	keyPreview           = []byte("lifecyclePolicyPreview")        // lifecyclePreview
	bucketPreviewResults = []byte("lifecyclePolicyPreviewResults") // digest → previewRecord
)

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

// preview returns the repository's last preview, or nil. Those of earlier versions, which had their results in the record,
// count as none.
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
		policy, err := parseLifecycle(text)
		if err != nil {
			return err
		}
		out.LifecyclePolicyText = text
		return repo.savePreview(policy, lifecyclePreview{Text: *text, StartedAt: now})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// savePreview evaluates a policy and keeps the results in the place of those of an earlier preview.
func (repo *repository) savePreview(p *lifecycle.Policy, preview lifecyclePreview) error {
	if repo.bucket.Bucket(bucketPreviewResults) != nil {
		if err := repo.bucket.DeleteBucket(bucketPreviewResults); err != nil {
			return err
		}
	}
	results, err := repo.bucket.CreateBucket(bucketPreviewResults)
	if err != nil {
		return err
	}
	results.FillPercent = 0.9 // keys come in order
	images, err := repo.lifecycleImages(preview.StartedAt)
	if err != nil {
		return err
	}
	for i, v := range lifecycle.Evaluate(p, images, preview.StartedAt).Verdicts {
		switch v.Outcome {
		case lifecycle.Keep:
			continue
		case lifecycle.Transition:
			preview.Transitioning++
		default:
			preview.Expiring++
		}
		if err := putJSON(results, []byte(images[i].Digest), newPreviewRecord(images[i], v)); err != nil {
			return err
		}
	}
	return putJSON(repo.bucket, keyPreview, preview)
}

// previewRecord is what a policy does with an image that it does not keep. There may be one for each image of a repository, in
// memory at once, so it has no more than that.
type previewRecord struct {
	Tags       []string  `json:"tags,omitempty"`
	PushedAt   time.Time `json:"pushedAt"`
	Rule       int       `json:"rule,omitempty"`       // its priority; none acts on a referrer that follows a subject into the archive
	Transition bool      `json:"transition,omitempty"` // and not expire
	Archived   bool      `json:"archived,omitempty"`
}

func newPreviewRecord(image lifecycle.Image, v lifecycle.Verdict) previewRecord {
	return previewRecord{
		Tags: image.Tags, PushedAt: image.PushedAt, Rule: v.Rule,
		Transition: v.Outcome == lifecycle.Transition, Archived: image.Status == lifecycle.StatusArchived,
	}
}

// result is the record as the API shows it.
func (rec *previewRecord) result(digest string) types.LifecyclePolicyPreviewResult {
	result := types.LifecyclePolicyPreviewResult{
		Action:        &types.LifecyclePolicyRuleAction{Type: types.ImageActionTypeExpire},
		ImageDigest:   aws.String(digest),
		ImagePushedAt: aws.Time(rec.PushedAt),
		ImageTags:     append([]string{}, rec.Tags...),
		StorageClass:  types.LifecyclePolicyStorageClassStandard,
	}
	if rec.Transition {
		result.Action = &types.LifecyclePolicyRuleAction{Type: types.ImageActionTypeTransition, TargetStorageClass: types.LifecyclePolicyTargetStorageClassArchive}
	}
	if rec.Rule > 0 {
		result.AppliedRulePriority = aws.Int32(int32(rec.Rule))
	}
	if rec.Archived {
		result.StorageClass = types.LifecyclePolicyStorageClassArchive
	}
	return result
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
		c := repo.bucket.Bucket(bucketPreviewResults).Cursor()
		for k := seekAfter(c, p.after); k != nil; k, _ = c.Next() {
			var rec previewRecord
			if _, err := getJSON(c.Bucket(), k, &rec); err != nil {
				return err
			}
			result := rec.result(string(k))
			switch {
			case !f.matchTags(result.ImageTags),
				len(in.ImageIds) > 0 && !slices.ContainsFunc(in.ImageIds, func(id types.ImageIdentifier) bool { return isNamed(result, id) }):
			case len(out.PreviewResults) == p.size:
				out.NextToken = p.next(*out.PreviewResults[p.size-1].ImageDigest)
				return nil
			default:
				out.PreviewResults = append(out.PreviewResults, result)
			}
		}
		return nil
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
