package governance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/lifecycle"
)

// ErrNoLifecyclePolicy reports that a repository has no lifecycle policy.
var ErrNoLifecyclePolicy = errors.New("it has no lifecycle policy")

// LifecyclePolicy reads the text of the lifecycle policy of a repository. The error
// wraps [ErrNoLifecyclePolicy] if it has none.
func (r *Registry) LifecyclePolicy(ctx context.Context, repository string) (string, error) {
	out, err := r.api.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository),
	})
	if err != nil {
		return "", r.failLifecycle(repository, err)
	}
	if aws.ToString(out.LifecyclePolicyText) == "" {
		return "", fmt.Errorf("%s: the answer has no policy", r.lifecycleObject(repository))
	}
	return *out.LifecyclePolicyText, nil
}

// PutLifecyclePolicy sets the lifecycle policy of a repository. From then on Amazon ECR
// expires images by it, within 24 hours and without a question.
func (r *Registry) PutLifecyclePolicy(ctx context.Context, repository, text string) error {
	_, err := r.api.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository), LifecyclePolicyText: aws.String(text),
	})
	if err != nil {
		return r.failLifecycle(repository, err)
	}
	return nil
}

// DeleteLifecyclePolicy deletes the lifecycle policy of a repository and returns its
// text. The error wraps [ErrNoLifecyclePolicy] if it had none. If it was deleted and the
// answer was lost, the text is "".
func (r *Registry) DeleteLifecyclePolicy(ctx context.Context, repository string) (string, error) {
	calling, earlier := awscalls.WithEarlier(ctx)
	out, err := r.api.DeleteLifecyclePolicy(calling, &ecr.DeleteLifecyclePolicyInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository),
	})
	if err != nil {
		if err = r.failLifecycle(repository, err); errors.Is(err, ErrNoLifecyclePolicy) && earlier.MayHaveRun() {
			return "", nil
		}
		return "", err
	}
	return aws.ToString(out.LifecyclePolicyText), nil
}

func (r *Registry) lifecycleObject(repository string) string {
	return fmt.Sprintf("lifecycle policy of %s/%s", r.Host, repository)
}

func (r *Registry) failLifecycle(repository string, err error) error {
	var none *types.LifecyclePolicyNotFoundException
	if errors.As(err, &none) {
		return fmt.Errorf("%s/%s: %w", r.Host, repository, ErrNoLifecyclePolicy)
	}
	return r.fail(r.lifecycleObject(repository), repository, err)
}

// SameLifecyclePolicy reports whether two lifecycle policies have the same rules, whatever
// the layout of their JSON. What cannot be read is the same only as the same text.
func SameLifecyclePolicy(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	one, err1 := lifecycle.Parse(a)
	other, err2 := lifecycle.Parse(b)
	if err1 != nil || err2 != nil {
		return false
	}
	first, err1 := json.Marshal(one)
	second, err2 := json.Marshal(other)
	return err1 == nil && err2 == nil && bytes.Equal(first, second)
}
