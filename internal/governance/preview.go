package governance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/lifecycle"
)

// ErrPreview reports that Amazon ECR has made no preview of a lifecycle policy.
var ErrPreview = errors.New("there is no preview")

// previewPage is the most of GetLifecyclePolicyPreview.
const previewPage = 100

// LifecyclePreview has Amazon ECR itself find out what a lifecycle policy would do with
// the images of a repository, and waits for it. Nothing is deleted. text "" is the
// policy of the repository, and the error wraps [ErrNoLifecyclePolicy] if it has none.
// It returns the text of the policy, too. A repository has one preview at a time: one that
// is in progress is waited for, and one that takes the place of ours is an error, which
// wraps [ErrPreview] as does one that fails or takes longer than limit. limit bounds the
// requests and their retries, too.
func (r *Registry) LifecyclePreview(ctx context.Context, repository, text string, limit time.Duration) (lifecycle.Preview, string, error) {
	object := fmt.Sprintf("preview of the lifecycle policy of %s/%s", r.Host, repository)
	in := &ecr.StartLifecyclePolicyPreviewInput{RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository)}
	if text != "" {
		in.LifecyclePolicyText = aws.String(text)
	}
	until := time.Now().Add(limit)
	started, err := await(ctx, limit, func(ctx context.Context) (bool, error) {
		calling, earlier := awscalls.WithEarlier(ctx)
		out, err := r.api.StartLifecyclePolicyPreview(calling, in)
		var running *types.LifecyclePolicyPreviewInProgressException
		switch {
		case errors.As(err, &running) && text != "" && earlier.MayHaveRun():
			return true, nil // it is ours, or found to be of another policy
		case errors.As(err, &running):
			return false, nil
		case err != nil:
			return false, r.failPreview(object, repository, err)
		}
		if text == "" {
			text = aws.ToString(out.LifecyclePolicyText)
		}
		return true, nil
	})
	switch {
	case err != nil:
		return nil, "", err
	case !started:
		return nil, "", fmt.Errorf("%s: %w after %v: another one is still in progress; try again later", object, ErrPreview, limit)
	}
	var preview lifecycle.Preview
	done, err := await(ctx, left(limit, until), func(ctx context.Context) (bool, error) {
		var err error
		preview, err = r.preview(ctx, object, repository, text)
		return preview != nil, err
	})
	if err == nil && !done {
		err = fmt.Errorf("%s: %w after %v; give it more time", object, ErrPreview, limit)
	}
	return preview, text, err
}

// preview reads all pages of the preview of a policy, nil if it is in progress.
func (r *Registry) preview(ctx context.Context, object, repository, text string) (lifecycle.Preview, error) {
	pages := ecr.NewGetLifecyclePolicyPreviewPaginator(r.api, &ecr.GetLifecyclePolicyPreviewInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository), MaxResults: aws.Int32(previewPage),
	}, func(o *ecr.GetLifecyclePolicyPreviewPaginatorOptions) { o.StopOnDuplicateToken = true })
	var texts []io.Reader
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, r.failPreview(object, repository, err)
		}
		switch {
		case !SameLifecyclePolicy([]byte(aws.ToString(page.LifecyclePolicyText)), []byte(text)):
			return nil, fmt.Errorf("%s: %w: one of another policy was started meanwhile; try again", object, ErrPreview)
		case page.Status == types.LifecyclePolicyPreviewStatusInProgress:
			return nil, nil
		case page.Status != types.LifecyclePolicyPreviewStatusComplete:
			return nil, fmt.Errorf("%s: %w: its status is %s; try again", object, ErrPreview, page.Status)
		}
		document, err := json.Marshal(struct {
			Status         types.LifecyclePolicyPreviewStatus   `json:"status"`
			PreviewResults []types.LifecyclePolicyPreviewResult `json:"previewResults"`
		}{page.Status, append([]types.LifecyclePolicyPreviewResult{}, page.PreviewResults...)})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", object, err)
		}
		texts = append(texts, bytes.NewReader(document))
	}
	preview, err := lifecycle.ReadPreview(io.MultiReader(texts...))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", object, err)
	}
	return preview, nil
}

func (r *Registry) failPreview(object, repository string, err error) error {
	var (
		noPolicy  *types.LifecyclePolicyNotFoundException
		noPreview *types.LifecyclePolicyPreviewNotFoundException
	)
	switch {
	case errors.As(err, &noPolicy):
		return r.failLifecycle(repository, err)
	case errors.As(err, &noPreview):
		return fmt.Errorf("%s: %w any more; try again", object, ErrPreview)
	}
	return r.fail(object, repository, err)
}
