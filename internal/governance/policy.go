package governance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
)

// ErrNoPolicy reports that a repository has no repository policy.
var ErrNoPolicy = errors.New("it has no repository policy")

// RepositoryPolicy reads the policy that says who may use a repository. The error wraps
// [ErrNoPolicy] if it has none.
func (r *Registry) RepositoryPolicy(ctx context.Context, repository string) (json.RawMessage, error) {
	out, err := r.api.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository),
	})
	if err != nil {
		return nil, r.failPolicy(repository, err)
	}
	return document(r.policyObject(repository), aws.ToString(out.PolicyText))
}

// PutRepositoryPolicy sets the policy of a repository, which replaces an existing one. Amazon
// ECR refuses one with which the caller could not change it again, unless force is set.
func (r *Registry) PutRepositoryPolicy(ctx context.Context, repository, text string, force bool) error {
	_, err := r.api.SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository), PolicyText: aws.String(text), Force: force,
	})
	if err != nil {
		return r.failPolicy(repository, err)
	}
	return nil
}

// DeleteRepositoryPolicy deletes the policy of a repository and returns it. The
// error wraps [ErrNoPolicy] if it had none. If it was deleted and the answer was lost, it
// returns nil.
func (r *Registry) DeleteRepositoryPolicy(ctx context.Context, repository string) (json.RawMessage, error) {
	calling, earlier := awscalls.WithEarlier(ctx)
	out, err := r.api.DeleteRepositoryPolicy(calling, &ecr.DeleteRepositoryPolicyInput{
		RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository),
	})
	if err != nil {
		if err = r.failPolicy(repository, err); errors.Is(err, ErrNoPolicy) && earlier.MayHaveRun() {
			return nil, nil
		}
		return nil, err
	}
	return document(r.policyObject(repository), aws.ToString(out.PolicyText))
}

func (r *Registry) policyObject(repository string) string {
	return fmt.Sprintf("repository policy of %s/%s", r.Host, repository)
}

func (r *Registry) failPolicy(repository string, err error) error {
	var none *types.RepositoryPolicyNotFoundException
	if errors.As(err, &none) {
		return fmt.Errorf("%s/%s: %w", r.Host, repository, ErrNoPolicy)
	}
	return r.fail(r.policyObject(repository), repository, err)
}
