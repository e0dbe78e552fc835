package registry

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/internal/repopolicy"
)

// maxPolicyLength is the length of a repository policy in characters (API reference).
const maxPolicyLength = 10_240

// PutImageScanningConfiguration sets scan on push, which is deprecated: the registry's scanning
// configuration says it for many repositories. Errors: RepositoryNotFound, InvalidParameter.
func (r *Registry) PutImageScanningConfiguration(_ context.Context, in *ecr.PutImageScanningConfigurationInput) (*ecr.PutImageScanningConfigurationOutput, error) {
	if in.ImageScanningConfiguration == nil {
		return nil, invalidParameter("imageScanningConfiguration", "must not be null")
	}
	err := r.update(in.RepositoryName, func(repo *repository) error {
		repo.record.ScanOnPush = in.ImageScanningConfiguration.ScanOnPush
		return repo.save()
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutImageScanningConfigurationOutput{
		ImageScanningConfiguration: in.ImageScanningConfiguration,
		RegistryId:                 aws.String(r.account),
		RepositoryName:             in.RepositoryName,
	}, nil
}

// SetRepositoryPolicy stores a policy. Errors: RepositoryNotFound,
// InvalidParameter (not a policy document).
func (r *Registry) SetRepositoryPolicy(_ context.Context, in *ecr.SetRepositoryPolicyInput) (*ecr.SetRepositoryPolicyOutput, error) {
	if err := checkRepositoryPolicy("PolicyText", in.PolicyText); err != nil {
		return nil, err
	}
	err := r.update(in.RepositoryName, func(repo *repository) error {
		repo.record.Policy = *in.PolicyText
		return repo.save()
	})
	if err != nil {
		return nil, err
	}
	return &ecr.SetRepositoryPolicyOutput{PolicyText: in.PolicyText, RegistryId: aws.String(r.account), RepositoryName: in.RepositoryName}, nil
}

func checkRepositoryPolicy(member string, text *string) error {
	switch {
	case text == nil || len(*text) > maxPolicyLength:
		return invalidParameter(member, "must have a length between 0 and %d", maxPolicyLength)
	case !isPolicy(*text, false):
		return invalidParameter(member, "Invalid repository policy provided")
	}
	return nil
}

// isPolicy reports whether text is a policy. The statements of a registry policy have resources, those of a repository
// policy have none.
func isPolicy(text string, resources bool) bool {
	p, err := repopolicy.Parse([]byte(text))
	return err == nil && !slices.ContainsFunc(p.Statements, func(s repopolicy.Statement) bool {
		return (s.Resources != nil || s.NotResources != nil) != resources
	})
}

func (r *Registry) policyNotFound(name string) error {
	return &types.RepositoryPolicyNotFoundException{Message: aws.String(fmt.Sprintf(
		"Repository policy does not exist for the repository with name '%s' in the registry with id '%s'", name, r.account))}
}

// GetRepositoryPolicy returns the stored policy. Errors: RepositoryNotFound, RepositoryPolicyNotFound.
func (r *Registry) GetRepositoryPolicy(_ context.Context, in *ecr.GetRepositoryPolicyInput) (*ecr.GetRepositoryPolicyOutput, error) {
	out := &ecr.GetRepositoryPolicyOutput{RegistryId: aws.String(r.account), RepositoryName: in.RepositoryName}
	err := r.view(in.RepositoryName, func(repo *repository) error {
		if repo.record.Policy == "" {
			return r.policyNotFound(repo.record.Name)
		}
		out.PolicyText = aws.String(repo.record.Policy)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteRepositoryPolicy removes the policy and returns it. Errors: RepositoryNotFound,
// RepositoryPolicyNotFound.
func (r *Registry) DeleteRepositoryPolicy(_ context.Context, in *ecr.DeleteRepositoryPolicyInput) (*ecr.DeleteRepositoryPolicyOutput, error) {
	out := &ecr.DeleteRepositoryPolicyOutput{RegistryId: aws.String(r.account), RepositoryName: in.RepositoryName}
	err := r.update(in.RepositoryName, func(repo *repository) error {
		if repo.record.Policy == "" {
			return r.policyNotFound(repo.record.Name)
		}
		out.PolicyText = aws.String(repo.record.Policy)
		repo.record.Policy = ""
		return repo.save()
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// The account settings that ECR has, each with its values; the first is the preset.
var accountSettings = map[string][]string{
	"BASIC_SCAN_TYPE_VERSION": {"AWS_NATIVE"},
	"REGISTRY_POLICY_SCOPE":   {"V2"},
	"BLOB_MOUNTING":           {"DISABLED", "ENABLED"},
}

// GetAccountSetting returns a setting of the registry. Errors: InvalidParameter.
func (r *Registry) GetAccountSetting(_ context.Context, in *ecr.GetAccountSettingInput) (*ecr.GetAccountSettingOutput, error) {
	values, ok := accountSettings[aws.ToString(in.Name)]
	if !ok {
		return nil, invalidParameter("name", "must be BASIC_SCAN_TYPE_VERSION, REGISTRY_POLICY_SCOPE or BLOB_MOUNTING")
	}
	out := &ecr.GetAccountSettingOutput{Name: in.Name, Value: aws.String(values[0])}
	err := r.store.db.View(func(tx *bolt.Tx) error {
		b, err := r.bucket(tx)
		if err != nil || b == nil {
			return err
		}
		if v := b.Bucket(bucketSettings).Get([]byte(*in.Name)); v != nil {
			out.Value = aws.String(string(v))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// PutAccountSetting changes a setting of the registry. Errors: InvalidParameter.
func (r *Registry) PutAccountSetting(_ context.Context, in *ecr.PutAccountSettingInput) (*ecr.PutAccountSettingOutput, error) {
	values, ok := accountSettings[aws.ToString(in.Name)]
	if !ok {
		return nil, invalidParameter("name", "must be BASIC_SCAN_TYPE_VERSION, REGISTRY_POLICY_SCOPE or BLOB_MOUNTING")
	}
	if !slices.Contains(values, aws.ToString(in.Value)) {
		return nil, invalidParameter("value", "must be one of %v", values)
	}
	err := r.store.db.Update(func(tx *bolt.Tx) error {
		b, err := r.bucket(tx)
		if err != nil {
			return err
		}
		return b.Bucket(bucketSettings).Put([]byte(*in.Name), []byte(*in.Value))
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutAccountSettingOutput{Name: in.Name, Value: in.Value}, nil
}
