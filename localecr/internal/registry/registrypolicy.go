package registry

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	bolt "go.etcd.io/bbolt"
)

// keyPolicy is where a registry has its policy, as text.
var keyPolicy = []byte("registryPolicy")

// PutRegistryPolicy stores a policy. Errors: InvalidParameter (not a policy document).
func (r *Registry) PutRegistryPolicy(_ context.Context, in *ecr.PutRegistryPolicyInput) (*ecr.PutRegistryPolicyOutput, error) {
	switch {
	case in.PolicyText == nil || len(*in.PolicyText) > maxPolicyLength:
		return nil, invalidParameter("PolicyText", "must have a length between 0 and %d", maxPolicyLength)
	case !isPolicy(*in.PolicyText, true):
		return nil, invalidParameter("PolicyText", "Invalid registry policy provided")
	}
	err := r.store.db.Update(func(tx *bolt.Tx) error {
		b, err := r.bucket(tx)
		if err != nil {
			return err
		}
		return b.Put(keyPolicy, []byte(*in.PolicyText))
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutRegistryPolicyOutput{PolicyText: in.PolicyText, RegistryId: aws.String(r.account)}, nil
}

// registryPolicy returns the text of the policy. Errors: RegistryPolicyNotFound.
func (r *Registry) registryPolicy(tx *bolt.Tx) (*string, error) {
	b, err := r.bucket(tx)
	if err != nil {
		return nil, err
	}
	var text []byte
	if b != nil {
		text = b.Get(keyPolicy)
	}
	if text == nil {
		return nil, &types.RegistryPolicyNotFoundException{Message: aws.String(fmt.Sprintf("Registry policy does not exist in the registry with id '%s'", r.account))}
	}
	return aws.String(string(text)), nil
}

// GetRegistryPolicy returns the stored policy. Errors: RegistryPolicyNotFound.
func (r *Registry) GetRegistryPolicy(context.Context, *ecr.GetRegistryPolicyInput) (*ecr.GetRegistryPolicyOutput, error) {
	out := &ecr.GetRegistryPolicyOutput{RegistryId: aws.String(r.account)}
	err := r.store.db.View(func(tx *bolt.Tx) (err error) {
		out.PolicyText, err = r.registryPolicy(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteRegistryPolicy removes the policy and returns it. Errors: RegistryPolicyNotFound.
func (r *Registry) DeleteRegistryPolicy(context.Context, *ecr.DeleteRegistryPolicyInput) (*ecr.DeleteRegistryPolicyOutput, error) {
	out := &ecr.DeleteRegistryPolicyOutput{RegistryId: aws.String(r.account)}
	err := r.store.db.Update(func(tx *bolt.Tx) (err error) {
		if out.PolicyText, err = r.registryPolicy(tx); err != nil {
			return err
		}
		b, err := r.bucket(tx)
		if err != nil {
			return err
		}
		return b.Delete(keyPolicy)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
