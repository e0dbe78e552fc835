package governance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/strictyaml"
	"github.com/ecrkit/ecrkit/internal/wildcard"
)

// What Amazon ECR takes. Source: API reference of SigningConfiguration, SigningRule and
// SigningRepositoryFilter, https://docs.aws.amazon.com/AmazonECR/latest/APIReference/.
const (
	MaxSigningRules   = 10
	MaxSigningFilters = 100 // of a rule

	maxSigningProfile = 200 // characters
	maxSigningFilter  = 256
)

var (
	signingProfile = lazyregexp.New(`^arn:aws(?:-[a-z]+)*:signer:([a-z0-9-]+):[0-9]{12}:/signing-profiles/[a-zA-Z0-9_]{2,}$`)
	signingFilter  = lazyregexp.New(`^(?:[a-z0-9*]+(?:[._-][a-z0-9*]+)*/)*[a-z0-9*]+(?:[._-][a-z0-9*]+)*$`)
)

// Errors of changes to rules.
var (
	// ErrTooManySigningRules reports that a registry would have more than [MaxSigningRules].
	ErrTooManySigningRules = errors.New("too many signing rules")
	// ErrSigningKMSKey reports that a rule names a KMS key, with which Amazon ECR does not
	// sign.
	ErrSigningKMSKey = errors.New("is a KMS key")
	// ErrNoSigningRule reports that there is no such rule, or that it has no such filter.
	ErrNoSigningRule = errors.New("no such signing rule")
)

var errEmptyFilters = errors.New("repositoryFilters is empty; leave it out to sign the images of all repositories")

// maxSigningFile bounds a configuration in a file, in bytes. The largest that is
// allowed has about 300 KB.
const maxSigningFile = 1 << 20

// ParseSigningConfiguration reads a configuration in JSON or YAML, in which a key that
// is not known is an error. It does not validate it.
func ParseSigningConfiguration(in io.Reader) (SigningConfiguration, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxSigningFile+1))
	if err != nil {
		return SigningConfiguration{}, err
	}
	if len(data) > maxSigningFile {
		return SigningConfiguration{}, fmt.Errorf("larger than %d bytes: no signing configuration", maxSigningFile)
	}
	var c SigningConfiguration
	if err := strictyaml.Decode(bytes.NewReader(data), &c); err != nil {
		return SigningConfiguration{}, err
	}
	// A list whose entries were all taken out is null, and must not mean all repositories.
	var written struct {
		Rules []map[string]any `yaml:"rules"`
	}
	if err := strictyaml.Decode(bytes.NewReader(data), &written); err != nil {
		return SigningConfiguration{}, err
	}
	for i, rule := range written.Rules {
		if filters, ok := rule["repositoryFilters"]; ok && filters == nil {
			return SigningConfiguration{}, fmt.Errorf("signing rule %d: %w", i+1, errEmptyFilters)
		}
	}
	if c.Rules == nil {
		return SigningConfiguration{}, errors.New("there is no list of rules in it; write rules: [] for none")
	}
	return c, nil
}

// Validate reports what Amazon ECR would refuse in a registry of this region. The error
// names the rule, counted from 1, and the field.
func (c SigningConfiguration) Validate(region string) error {
	if n := len(c.Rules); n > MaxSigningRules {
		return fmt.Errorf("%w: %d of at most %d; remove one, or put several repositories into one rule",
			ErrTooManySigningRules, n, MaxSigningRules)
	}
	for i, rule := range c.Rules {
		if err := rule.validate(region); err != nil {
			return fmt.Errorf("signing rule %d: %w", i+1, err)
		}
	}
	return nil
}

func (rule SigningRule) validate(region string) error {
	found := signingProfile.FindStringSubmatch(rule.Profile)
	switch {
	case rule.Profile == "":
		return errors.New("signingProfileArn is missing")
	case strings.Contains(rule.Profile, ":kms:"):
		return fmt.Errorf("signingProfileArn %s %w: managed signing takes a profile of AWS Signer, arn:aws:signer:%s:ACCOUNT:/signing-profiles/NAME",
			rule.Profile, ErrSigningKMSKey, region)
	case found == nil || len(rule.Profile) > maxSigningProfile:
		return fmt.Errorf("signingProfileArn %q is not the ARN of a signing profile, arn:aws:signer:%s:ACCOUNT:/signing-profiles/NAME with letters, digits and _ in NAME and at most %d characters",
			rule.Profile, region, maxSigningProfile)
	case found[1] != region:
		return fmt.Errorf("signingProfileArn %s is of %s, and the registry of %s: a profile signs in its own region only", rule.Profile, found[1], region)
	case rule.Filters != nil && len(rule.Filters) == 0:
		return errEmptyFilters
	case len(rule.Filters) > MaxSigningFilters:
		return fmt.Errorf("%d repositoryFilters of at most %d; use wider patterns, or a second rule of the same profile", len(rule.Filters), MaxSigningFilters)
	}
	for i, f := range rule.Filters {
		switch {
		case f.kind() != wildcardMatch:
			return fmt.Errorf("repositoryFilters %d: filterType %q is not %s", i+1, f.Type, wildcardMatch)
		case len(f.Filter) > maxSigningFilter || !signingFilter.MatchString(f.Filter):
			return fmt.Errorf("repositoryFilters %d: %q is not the name of a repository with * for any characters, such as prod/* or *web*", i+1, f.Filter)
		}
	}
	return nil
}

// With returns the configuration with images of the repositories that filters select
// signed with profile too, of all for none. The filters go into the rule of the
// profile if there is one, which may have too many then: [SigningConfiguration.Validate].
func (c SigningConfiguration) With(profile string, filters []SigningFilter) SigningConfiguration {
	rules := c.clone()
	i := slices.IndexFunc(rules, func(rule SigningRule) bool { return rule.Profile == profile })
	switch {
	case i < 0:
		rules = append(rules, SigningRule{Profile: profile, Filters: appendFilters(nil, filters)})
	case slices.ContainsFunc(rules, func(rule SigningRule) bool { return rule.Profile == profile && len(rule.Filters) == 0 }):
		// It signs everything already.
	case len(filters) == 0:
		rules[i].Filters = nil
	default:
		for _, rule := range rules {
			if rule.Profile == profile {
				filters = slices.DeleteFunc(slices.Clone(filters), func(f SigningFilter) bool { return hasFilter(rule.Filters, f) })
			}
		}
		rules[i].Filters = appendFilters(rules[i].Filters, filters)
	}
	return SigningConfiguration{Rules: rules}
}

// Without returns the configuration without these filters of the rules of a profile, or
// without its rules for none. A rule that would lose its last filter goes, since one
// without filters signs everything. The error wraps [ErrNoSigningRule].
func (c SigningConfiguration) Without(profile string, filters []SigningFilter) (SigningConfiguration, error) {
	missing := slices.Clone(filters)
	found := false
	out := SigningConfiguration{Rules: []SigningRule{}}
	for _, rule := range c.clone() {
		if rule.Profile != profile {
			out.Rules = append(out.Rules, rule)
			continue
		}
		found = true
		missing = slices.DeleteFunc(missing, func(f SigningFilter) bool { return hasFilter(rule.Filters, f) })
		if len(filters) == 0 {
			continue
		}
		all := len(rule.Filters) == 0
		rule.Filters = slices.DeleteFunc(rule.Filters, func(f SigningFilter) bool { return hasFilter(filters, f) })
		if all || len(rule.Filters) > 0 {
			out.Rules = append(out.Rules, rule)
		}
	}
	switch {
	case !found:
		return c, fmt.Errorf("%w: none has the profile %s", ErrNoSigningRule, profile)
	case len(missing) > 0:
		return c, fmt.Errorf("%w: none with the profile %s has the filter %s", ErrNoSigningRule, profile, missing[0].Filter)
	}
	return out, nil
}

// Profiles are those with which an image is signed when it is pushed to a repository.
func (c SigningConfiguration) Profiles(repository string) []string {
	var profiles []string
	for _, rule := range c.Rules {
		matches := len(rule.Filters) == 0 || slices.ContainsFunc(rule.Filters, func(f SigningFilter) bool { return f.matches(repository) })
		if matches && !slices.Contains(profiles, rule.Profile) {
			profiles = append(profiles, rule.Profile)
		}
	}
	return profiles
}

func (f SigningFilter) matches(repository string) bool { return wildcard.Match(f.Filter, repository) }

// Equal reports whether two configurations have the same rules in the same order.
func (c SigningConfiguration) Equal(other SigningConfiguration) bool {
	return slices.EqualFunc(c.Rules, other.Rules, func(a, b SigningRule) bool {
		return a.Profile == b.Profile && slices.EqualFunc(a.Filters, b.Filters, sameFilter)
	})
}

func (c SigningConfiguration) clone() []SigningRule {
	rules := make([]SigningRule, len(c.Rules))
	for i, rule := range c.Rules {
		rules[i] = SigningRule{Profile: rule.Profile, Filters: slices.Clone(rule.Filters)}
	}
	return rules
}

func sameFilter(a, b SigningFilter) bool { return a.Filter == b.Filter && a.kind() == b.kind() }

func hasFilter(filters []SigningFilter, f SigningFilter) bool {
	return slices.ContainsFunc(filters, func(g SigningFilter) bool { return sameFilter(f, g) })
}

// appendFilters appends the filters that do not exist yet.
func appendFilters(filters, more []SigningFilter) []SigningFilter {
	for _, f := range more {
		if !hasFilter(filters, f) {
			filters = append(filters, f)
		}
	}
	return filters
}
