package governance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// ErrNoRegistryPolicy reports that a registry has no registry policy.
var ErrNoRegistryPolicy = errors.New("it has no registry policy")

const registryPolicyObject = "registry policy"

// RegistryPolicy reads the policy that says which accounts may replicate to the registry and use its pull-through caches.
// The error wraps [ErrNoRegistryPolicy] if it has none, and [ErrOtherAccount].
func (r *Registry) RegistryPolicy(ctx context.Context) (json.RawMessage, error) {
	out, err := r.api.GetRegistryPolicy(ctx, &ecr.GetRegistryPolicyInput{})
	var none *types.RegistryPolicyNotFoundException
	if errors.As(err, &none) {
		// The answer names no account, and may be about another one's registry.
		if err := r.checkAccount(ctx); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s: %w", r.Host, ErrNoRegistryPolicy)
	}
	if err != nil {
		return nil, r.fail(registryPolicyObject, "", err)
	}
	if err := r.checkOwner(out.RegistryId); err != nil {
		return nil, err
	}
	return document(registryPolicyObject, aws.ToString(out.PolicyText))
}

// PutRegistryPolicy sets the policy of the registry, which replaces an existing one.
func (r *Registry) PutRegistryPolicy(ctx context.Context, text string) error {
	if err := r.checkAccount(ctx); err != nil {
		return err
	}
	if _, err := r.api.PutRegistryPolicy(ctx, &ecr.PutRegistryPolicyInput{PolicyText: aws.String(text)}); err != nil {
		return r.fail(registryPolicyObject, "", err)
	}
	return nil
}

// DeleteRegistryPolicy deletes the policy of the registry. That it has none is no error.
func (r *Registry) DeleteRegistryPolicy(ctx context.Context) error {
	if err := r.checkAccount(ctx); err != nil {
		return err
	}
	_, err := r.api.DeleteRegistryPolicy(ctx, &ecr.DeleteRegistryPolicyInput{})
	var none *types.RegistryPolicyNotFoundException
	if err != nil && !errors.As(err, &none) {
		return r.fail(registryPolicyObject, "", err)
	}
	return nil
}
