package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// Source of the patterns and lengths: API reference of SigningConfiguration, SigningRule and
// SigningRepositoryFilter.
var (
	signingProfilePattern = lazyregexp.New(`^arn:aws(-[a-z]+)*:signer:[a-z0-9-]+:[0-9]{12}:/signing-profiles/[a-zA-Z0-9_]{2,}$`)
	signingFilterPattern  = lazyregexp.New(`^(?:[a-z0-9*]+(?:[._-][a-z0-9*]+)*/)*[a-z0-9*]+(?:[._-][a-z0-9*]+)*$`)
)

const (
	maxSigningRules   = 10
	maxSigningFilters = 100 // of a rule
	maxSigningProfile = 200 // characters of an ARN
	maxSigningFilter  = 256
)

// keySigning is where a registry has its signing configuration.
var keySigning = []byte("signingConfiguration")

// PutSigningConfiguration replaces the signing rules of the registry. Existing images
// are not signed by them. Errors: InvalidParameter, Validation (a profile of another region).
func (r *Registry) PutSigningConfiguration(_ context.Context, in *ecr.PutSigningConfigurationInput) (*ecr.PutSigningConfigurationOutput, error) {
	if err := r.checkSigningConfiguration(in.SigningConfiguration); err != nil {
		return nil, err
	}
	err := r.store.db.Update(func(tx *bolt.Tx) error {
		b, err := r.bucket(tx)
		if err != nil {
			return err
		}
		return putJSON(b, keySigning, in.SigningConfiguration)
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutSigningConfigurationOutput{SigningConfiguration: in.SigningConfiguration}, nil
}

func (r *Registry) checkSigningConfiguration(c *types.SigningConfiguration) error {
	switch {
	case c == nil:
		return invalidParameter("signingConfiguration", "must not be null")
	case c.Rules == nil:
		return invalidParameter("signingConfiguration.rules", "must not be null")
	case len(c.Rules) > maxSigningRules:
		return invalidParameter("signingConfiguration.rules", "must have a length between 0 and %d", maxSigningRules)
	}
	for i, rule := range c.Rules {
		member := fmt.Sprintf("signingConfiguration.rules.%d.member", i+1)
		if err := r.checkSigningRule(member, rule); err != nil {
			return err
		}
	}
	return nil
}

func (r *Registry) checkSigningRule(member string, rule types.SigningRule) error {
	profile, filters := aws.ToString(rule.SigningProfileArn), rule.RepositoryFilters
	switch {
	case rule.SigningProfileArn == nil:
		return invalidParameter(member+".signingProfileArn", "must not be null")
	case len(profile) > maxSigningProfile:
		return invalidParameter(member+".signingProfileArn", "must have a length of at most %d", maxSigningProfile)
	case !signingProfilePattern.MatchString(profile):
		return invalidParameter(member+".signingProfileArn", "must satisfy regular expression '%s'", signingProfilePattern)
	case strings.Split(profile, ":")[3] != r.region:
		// That it must be of this region is documented (user guide, managed signing), how it is refused is not.
		return &types.ValidationException{Message: aws.String(fmt.Sprintf(
			"The signing profile '%s' is not in the region of the registry, %s", profile, r.region))}
	case filters != nil && (len(filters) < 1 || len(filters) > maxSigningFilters):
		return invalidParameter(member+".repositoryFilters", "must have a length between 1 and %d", maxSigningFilters)
	}
	for i, f := range filters {
		member := fmt.Sprintf("%s.repositoryFilters.%d.member", member, i+1)
		text := aws.ToString(f.Filter)
		switch {
		case f.FilterType != types.SigningRepositoryFilterTypeWildcardMatch:
			return invalidParameter(member+".filterType", "must be one of %v", f.FilterType.Values())
		case len(text) < 1 || len(text) > maxSigningFilter:
			return invalidParameter(member+".filter", "must have a length between 1 and %d", maxSigningFilter)
		case !signingFilterPattern.MatchString(text):
			return invalidParameter(member+".filter", "must satisfy regular expression '%s'", signingFilterPattern)
		}
	}
	return nil
}

// GetSigningConfiguration returns the signing rules. Errors: SigningConfigurationNotFound.
func (r *Registry) GetSigningConfiguration(context.Context, *ecr.GetSigningConfigurationInput) (*ecr.GetSigningConfigurationOutput, error) {
	var out *types.SigningConfiguration
	err := r.store.db.View(func(tx *bolt.Tx) (err error) {
		out, err = r.signingConfiguration(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if out == nil {
		return nil, r.signingConfigurationNotFound()
	}
	return &ecr.GetSigningConfigurationOutput{RegistryId: aws.String(r.account), SigningConfiguration: out}, nil
}

// DeleteSigningConfiguration removes the signing rules and returns them. Signatures stay. Errors:
// SigningConfigurationNotFound.
func (r *Registry) DeleteSigningConfiguration(context.Context, *ecr.DeleteSigningConfigurationInput) (*ecr.DeleteSigningConfigurationOutput, error) {
	var out *types.SigningConfiguration
	err := r.store.db.Update(func(tx *bolt.Tx) (err error) {
		if out, err = r.signingConfiguration(tx); err != nil {
			return err
		}
		if out == nil {
			return r.signingConfigurationNotFound()
		}
		b, err := r.bucket(tx)
		if err != nil {
			return err
		}
		return b.Delete(keySigning)
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeleteSigningConfigurationOutput{RegistryId: aws.String(r.account), SigningConfiguration: out}, nil
}

func (r *Registry) signingConfigurationNotFound() error {
	return &types.SigningConfigurationNotFoundException{Message: aws.String(fmt.Sprintf(
		"Signing configuration does not exist for the registry with id '%s'", r.account))}
}

// signingConfiguration returns the registry's, or nil.
func (r *Registry) signingConfiguration(tx *bolt.Tx) (*types.SigningConfiguration, error) {
	b, err := r.bucket(tx)
	if err != nil || b == nil {
		return nil, err
	}
	var c types.SigningConfiguration
	ok, err := getJSON(b, keySigning, &c)
	if err != nil || !ok {
		return nil, err
	}
	return &c, nil
}

// signingProfiles are the profiles of the rules that a repository matches, each once, in the order of
// the rules. A rule without filters matches all.
func signingProfiles(c *types.SigningConfiguration, repository string) []string {
	var out []string
	for _, rule := range c.Rules {
		matches := len(rule.RepositoryFilters) == 0 || slices.ContainsFunc(rule.RepositoryFilters, func(f types.SigningRepositoryFilter) bool {
			return matchWildcard(aws.ToString(f.Filter), repository)
		})
		if profile := aws.ToString(rule.SigningProfileArn); matches && !slices.Contains(out, profile) {
			out = append(out, profile)
		}
	}
	return out
}
