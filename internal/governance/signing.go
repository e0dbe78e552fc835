package governance

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
)

// ErrNoSigningConfiguration reports that managed signing is not configured in a registry.
var ErrNoSigningConfiguration = errors.New("managed signing is not configured")

// A SigningConfiguration selects the images that Amazon ECR signs when they are pushed, as
// Notation signatures by AWS Signer. A registry has one or none. Its JSON and YAML
// are those of the aws CLI's --signing-configuration:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_SigningConfiguration.html.
type SigningConfiguration struct {
	Rules []SigningRule `json:"rules" yaml:"rules"`
}

// A SigningRule has images signed with a profile.
type SigningRule struct {
	// Profile is the ARN of a signing profile of AWS Signer, in the region of the
	// registry but maybe of another account.
	Profile string `json:"signingProfileArn" yaml:"signingProfileArn"`
	// Filters say in which repositories; one that matches is enough, and none at all
	// is every repository.
	Filters []SigningFilter `json:"repositoryFilters,omitempty" yaml:"repositoryFilters"`
}

// A SigningFilter selects repositories.
type SigningFilter struct {
	// Filter is the name of a repository, in which * is any number of characters.
	Filter string `json:"filter" yaml:"filter"`
	// Type is WILDCARD_MATCH, which is also what "" means.
	Type string `json:"filterType" yaml:"filterType"`
}

const wildcardMatch = string(types.SigningRepositoryFilterTypeWildcardMatch)

// WildcardFilters makes filters of patterns.
func WildcardFilters(patterns []string) []SigningFilter {
	var filters []SigningFilter
	for _, p := range patterns {
		filters = append(filters, SigningFilter{Filter: p, Type: wildcardMatch})
	}
	return filters
}

const signingObject = "signing configuration"

// SigningConfiguration reads the registry's. The error wraps
// [ErrNoSigningConfiguration] if it has none, and [ErrOtherAccount].
func (r *Registry) SigningConfiguration(ctx context.Context) (SigningConfiguration, error) {
	out, err := r.api.GetSigningConfiguration(ctx, &ecr.GetSigningConfigurationInput{})
	var none *types.SigningConfigurationNotFoundException
	if errors.As(err, &none) {
		// The answer names no account, and may be about another one's registry.
		if err := r.checkAccount(ctx); err != nil {
			return SigningConfiguration{}, err
		}
		return SigningConfiguration{}, r.noSigningConfiguration()
	}
	if err != nil {
		return SigningConfiguration{}, r.fail(signingObject, "", err)
	}
	if err := r.checkOwner(out.RegistryId); err != nil {
		return SigningConfiguration{}, err
	}
	return r.signingConfiguration(out.SigningConfiguration)
}

func (r *Registry) noSigningConfiguration() error {
	return fmt.Errorf("%w in %s", ErrNoSigningConfiguration, r.Registry)
}

// PutSigningConfiguration replaces the registry's and returns what it is now. What
// violates a rule of Amazon ECR is an error before any call.
func (r *Registry) PutSigningConfiguration(ctx context.Context, c SigningConfiguration) (SigningConfiguration, error) {
	if err := c.Validate(r.Region); err != nil {
		return SigningConfiguration{}, err
	}
	if err := r.checkAccount(ctx); err != nil {
		return SigningConfiguration{}, err
	}
	out, err := r.api.PutSigningConfiguration(ctx, &ecr.PutSigningConfigurationInput{SigningConfiguration: c.request()})
	if err != nil {
		return SigningConfiguration{}, r.fail(signingObject, "", err)
	}
	return r.signingConfiguration(out.SigningConfiguration)
}

// DeleteSigningConfiguration removes the registry's and returns what it was. Signatures
// stay. The error wraps [ErrNoSigningConfiguration] if there was none. If it was removed and
// the answer was lost, it returns no rules.
func (r *Registry) DeleteSigningConfiguration(ctx context.Context) (SigningConfiguration, error) {
	if err := r.checkAccount(ctx); err != nil {
		return SigningConfiguration{}, err
	}
	calling, earlier := awscalls.WithEarlier(ctx)
	out, err := r.api.DeleteSigningConfiguration(calling, &ecr.DeleteSigningConfigurationInput{})
	var none *types.SigningConfigurationNotFoundException
	switch {
	case errors.As(err, &none) && earlier.MayHaveRun():
		return SigningConfiguration{}, nil
	case errors.As(err, &none):
		return SigningConfiguration{}, r.noSigningConfiguration()
	case err != nil:
		return SigningConfiguration{}, r.fail(signingObject, "", err)
	}
	return r.signingConfiguration(out.SigningConfiguration)
}

// signingConfiguration reads an answer.
func (r *Registry) signingConfiguration(answer *types.SigningConfiguration) (SigningConfiguration, error) {
	if answer == nil || answer.Rules == nil {
		return SigningConfiguration{}, fmt.Errorf("%s of %s: the answer has no rules", signingObject, r.Registry)
	}
	c := SigningConfiguration{Rules: []SigningRule{}}
	for _, rule := range answer.Rules {
		own := SigningRule{Profile: aws.ToString(rule.SigningProfileArn)}
		for _, f := range rule.RepositoryFilters {
			own.Filters = append(own.Filters, SigningFilter{Filter: aws.ToString(f.Filter), Type: string(f.FilterType)})
		}
		c.Rules = append(c.Rules, own)
	}
	return c, nil
}

// request is the configuration as a call sends it. A rule without filters sends no
// list: an empty one is refused.
func (c SigningConfiguration) request() *types.SigningConfiguration {
	out := &types.SigningConfiguration{Rules: []types.SigningRule{}}
	for _, rule := range c.Rules {
		sent := types.SigningRule{SigningProfileArn: aws.String(rule.Profile)}
		for _, f := range rule.Filters {
			sent.RepositoryFilters = append(sent.RepositoryFilters, types.SigningRepositoryFilter{
				Filter: aws.String(f.Filter), FilterType: types.SigningRepositoryFilterType(f.kind()),
			})
		}
		out.Rules = append(out.Rules, sent)
	}
	return out
}

func (f SigningFilter) kind() string {
	if f.Type == "" {
		return wildcardMatch
	}
	return f.Type
}
