package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/lifecycle"
)

// keyLifecycle is where a repository has its lifecyclePolicy.
var keyLifecycle = []byte("lifecyclePolicy")

// lifecyclePolicy is the policy of a repository. When it is applied next is in the repositoryRecord.
type lifecyclePolicy struct {
	Text        string    `json:"text"`
	EvaluatedAt time.Time `json:"evaluatedAt,omitzero"` // when it was last applied
}

// lifecyclePolicy returns the repository's, or nil.
func (repo *repository) lifecyclePolicy() (*lifecyclePolicy, error) {
	var p lifecyclePolicy
	ok, err := getJSON(repo.bucket, keyLifecycle, &p)
	if err != nil || !ok {
		return nil, err
	}
	return &p, nil
}

// parseLifecycle reads a policy as Amazon ECR takes it. Errors: InvalidParameter.
func parseLifecycle(text *string) (*lifecycle.Policy, error) {
	if text == nil {
		return nil, invalidParameter("lifecyclePolicyText", "must not be null")
	}
	p, err := lifecycle.Parse([]byte(*text))
	if err != nil {
		why := err.Error()
		var invalid *lifecycle.InvalidError
		if errors.As(err, &invalid) {
			var problems []string
			for _, problem := range invalid.Problems {
				problems = append(problems, schemaWords(problem)+" ("+problem.String()+")")
			}
			why = strings.Join(problems, "; ")
		}
		// ECR names the member with a capital here (cloudposse/terraform-aws-ecr#158).
		return nil, invalidParameter("LifecyclePolicyText", "Lifecycle policy validation failure: %s", why)
	}
	return p, nil
}

// schemaWords are ECR's words for a problem, which are those of its JSON schema validator. Sources: cloudposse/
// terraform-aws-ecr#158, moto.
func schemaWords(p lifecycle.Problem) string {
	if name := p.Field[strings.LastIndexByte(p.Field, '.')+1:]; p.Code == "missing-field" && !strings.Contains(p.Field, ".selection.") {
		return fmt.Sprintf("object has missing required properties ([%q])", name)
	}
	return "instance failed to match exactly one schema (matched 0 out of 2)"
}

// lastEvaluated is when the policy was last applied; before the first time it is 1970, as AWS shows it.
func (p *lifecyclePolicy) lastEvaluated() *time.Time {
	at := time.Unix(0, 0).UTC()
	if !p.EvaluatedAt.IsZero() {
		at = p.EvaluatedAt
	}
	return &at
}

// PutLifecyclePolicy sets the policy of a repository, which is applied for the first time 24 hours
// from now. Errors: RepositoryNotFound, InvalidParameter (not a policy).
func (r *Registry) PutLifecyclePolicy(_ context.Context, in *ecr.PutLifecyclePolicyInput) (*ecr.PutLifecyclePolicyOutput, error) {
	if _, err := parseLifecycle(in.LifecyclePolicyText); err != nil {
		return nil, err
	}
	err := r.update(in.RepositoryName, func(repo *repository) error { return repo.setLifecyclePolicy(*in.LifecyclePolicyText) })
	if err != nil {
		return nil, err
	}
	return &ecr.PutLifecyclePolicyOutput{
		LifecyclePolicyText: in.LifecyclePolicyText, RegistryId: aws.String(r.account), RepositoryName: in.RepositoryName,
	}, nil
}

func (repo *repository) setLifecyclePolicy(text string) error {
	repo.record.LifecycleDue = repo.registry.now().Add(lifecycleInterval)
	if err := repo.save(); err != nil {
		return err
	}
	return putJSON(repo.bucket, keyLifecycle, lifecyclePolicy{Text: text})
}

// existingLifecyclePolicy is the policy; that there is none is a LifecyclePolicyNotFound.
func (repo *repository) existingLifecyclePolicy() (*lifecyclePolicy, error) {
	p, err := repo.lifecyclePolicy()
	if err == nil && p == nil {
		err = &types.LifecyclePolicyNotFoundException{Message: aws.String(fmt.Sprintf(
			"Lifecycle policy does not exist for the repository with name '%s' in the registry with id '%s'", repo.record.Name, repo.registry.account))}
	}
	return p, err
}

// GetLifecyclePolicy returns the policy. Errors: RepositoryNotFound, LifecyclePolicyNotFound.
func (r *Registry) GetLifecyclePolicy(_ context.Context, in *ecr.GetLifecyclePolicyInput) (*ecr.GetLifecyclePolicyOutput, error) {
	out := &ecr.GetLifecyclePolicyOutput{RegistryId: aws.String(r.account), RepositoryName: in.RepositoryName}
	err := r.view(in.RepositoryName, func(repo *repository) error {
		p, err := repo.existingLifecyclePolicy()
		if err != nil {
			return err
		}
		out.LifecyclePolicyText, out.LastEvaluatedAt = aws.String(p.Text), p.lastEvaluated()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteLifecyclePolicy removes the policy and returns it. Errors: RepositoryNotFound,
// LifecyclePolicyNotFound.
func (r *Registry) DeleteLifecyclePolicy(_ context.Context, in *ecr.DeleteLifecyclePolicyInput) (*ecr.DeleteLifecyclePolicyOutput, error) {
	out := &ecr.DeleteLifecyclePolicyOutput{RegistryId: aws.String(r.account), RepositoryName: in.RepositoryName}
	err := r.update(in.RepositoryName, func(repo *repository) error {
		p, err := repo.existingLifecyclePolicy()
		if err != nil {
			return err
		}
		out.LifecyclePolicyText, out.LastEvaluatedAt = aws.String(p.Text), p.lastEvaluated()
		repo.record.LifecycleDue = time.Time{}
		if err := repo.save(); err != nil {
			return err
		}
		return repo.bucket.Delete(keyLifecycle)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// timeOrNil is how a time that may never have been is shown.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
