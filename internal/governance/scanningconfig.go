package governance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// Types of scanning, and how often a rule has images scanned.
const (
	ScanBasic    = string(types.ScanTypeBasic)
	ScanEnhanced = string(types.ScanTypeEnhanced) // by Amazon Inspector

	ScanOnPush       = string(types.ScanFrequencyScanOnPush)
	ScanContinuously = string(types.ScanFrequencyContinuousScan)
	ScanManually     = string(types.ScanFrequencyManual)
)

// Limits of the scanning configuration, from PutRegistryScanningConfiguration,
// RegistryScanningRule and ScanningRepositoryFilter,
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/.
const (
	MaxScanFilters = 100 // of a rule

	maxScanFilter      = 256 // characters
	maxScanNames       = 25  // of a BatchGetRepositoryScanningConfiguration
	maxFilterWildcards = 4
)

var scanFilter = lazyregexp.New(`^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$`)

// ScanningConfiguration selects the images that a registry scans, and when. Its JSON and YAML
// are those of the aws CLI's put-registry-scanning-configuration, but for the filters,
// which are patterns only.
type ScanningConfiguration struct {
	Type  string         `json:"type" yaml:"type"` // BASIC or ENHANCED
	Rules []ScanningRule `json:"rules" yaml:"rules"`
}

// ScanningRule has the images of repositories scanned. There is at most one rule for
// each frequency.
type ScanningRule struct {
	Frequency string `json:"frequency" yaml:"frequency"` // SCAN_ON_PUSH or CONTINUOUS_SCAN, which ENHANCED only has
	// Filters are patterns of repositories, in which * is any number of characters.
	Filters []string `json:"filters" yaml:"filters"`
}

// Scanning is what applies to one repository.
type Scanning struct {
	Type      string `json:"type"`
	Frequency string `json:"frequency"` // SCAN_ON_PUSH, CONTINUOUS_SCAN or MANUAL
	OnPush    bool   `json:"onPush"`
	// Filters are those of the rules that apply.
	Filters []string `json:"filters"`
}

// Automatic reports whether images are scanned automatically. The scan on
// push of a repository's own is one of basic scanning.
func (s Scanning) Automatic() bool {
	return s.OnPush && s.Type == ScanBasic || s.Frequency == ScanOnPush || s.Frequency == ScanContinuously
}

// NewScanningConfiguration makes one of the patterns of each frequency.
func NewScanningConfiguration(kind string, onPush, continuously []string) ScanningConfiguration {
	c := ScanningConfiguration{Type: kind, Rules: []ScanningRule{}}
	return c.With(ScanOnPush, onPush).With(ScanContinuously, continuously)
}

// Filters are the patterns of a frequency.
func (c ScanningConfiguration) Filters(frequency string) []string {
	var filters []string
	for _, rule := range c.Rules {
		if rule.Frequency == frequency {
			filters = append(filters, rule.Filters...)
		}
	}
	return filters
}

// With returns the configuration with these patterns added to those of a frequency.
func (c ScanningConfiguration) With(frequency string, patterns []string) ScanningConfiguration {
	out := ScanningConfiguration{Type: c.Type, Rules: []ScanningRule{}}
	at := -1
	for i, rule := range c.Rules {
		if rule.Frequency == frequency && at < 0 {
			at = i
		}
		out.Rules = append(out.Rules, ScanningRule{rule.Frequency, slices.Clone(rule.Filters)})
	}
	if len(patterns) == 0 {
		return out
	}
	if at < 0 {
		at = len(out.Rules)
		out.Rules = append(out.Rules, ScanningRule{Frequency: frequency})
	}
	for _, p := range patterns {
		if !slices.Contains(out.Rules[at].Filters, p) {
			out.Rules[at].Filters = append(out.Rules[at].Filters, p)
		}
	}
	return out
}

// Equal reports whether both scan the same, whatever the order in which it is written.
func (c ScanningConfiguration) Equal(other ScanningConfiguration) bool {
	same := func(frequency string) bool {
		return slices.Equal(sorted(c.Filters(frequency)), sorted(other.Filters(frequency)))
	}
	return c.Type == other.Type && same(ScanOnPush) && same(ScanContinuously) && same(ScanManually)
}

// Validate reports what Amazon ECR would refuse.
func (c ScanningConfiguration) Validate() error {
	if c.Type != ScanBasic && c.Type != ScanEnhanced {
		return fmt.Errorf("scan type %q is neither %s nor %s", c.Type, ScanBasic, ScanEnhanced)
	}
	seen := map[string]bool{}
	for _, rule := range c.Rules {
		switch {
		case rule.Frequency != ScanOnPush && rule.Frequency != ScanContinuously:
			return fmt.Errorf("scan frequency %q is neither %s nor %s; what no rule matches is scanned manually", rule.Frequency, ScanOnPush, ScanContinuously)
		case rule.Frequency == ScanContinuously && c.Type == ScanBasic:
			return fmt.Errorf("scan frequency %s needs scan type %s", rule.Frequency, ScanEnhanced)
		case seen[rule.Frequency]:
			return fmt.Errorf("there are two rules with scan frequency %s; put their filters into one", rule.Frequency)
		case len(rule.Filters) == 0:
			return fmt.Errorf("the rule with scan frequency %s has no filters; \"*\" is one for all repositories", rule.Frequency)
		case len(rule.Filters) > MaxScanFilters:
			return fmt.Errorf("the rule with scan frequency %s has %d filters of at most %d; use wider patterns", rule.Frequency, len(rule.Filters), MaxScanFilters)
		}
		seen[rule.Frequency] = true
		for _, f := range rule.Filters {
			switch {
			case len(f) > maxScanFilter || !scanFilter.MatchString(f):
				return fmt.Errorf("scan filter %q is not the name of a repository with * for any characters, such as prod/* or *web*", f)
			case strings.Count(f, "*") > maxFilterWildcards:
				return fmt.Errorf("scan filter %q has more than %d wildcards", f, maxFilterWildcards)
			}
		}
	}
	return nil
}

const scanningObject = "scanning configuration"

// ScanningConfiguration reads the registry's. The error wraps [ErrOtherAccount].
func (r *Registry) ScanningConfiguration(ctx context.Context) (ScanningConfiguration, error) {
	out, err := r.api.GetRegistryScanningConfiguration(ctx, &ecr.GetRegistryScanningConfigurationInput{})
	if err != nil {
		return ScanningConfiguration{}, r.fail(scanningObject, "", err)
	}
	if err := r.checkOwner(out.RegistryId); err != nil {
		return ScanningConfiguration{}, err
	}
	return r.scanningConfiguration(out.ScanningConfiguration)
}

// PutScanningConfiguration replaces the registry's and returns what it is now.
func (r *Registry) PutScanningConfiguration(ctx context.Context, c ScanningConfiguration) (ScanningConfiguration, error) {
	if err := c.Validate(); err != nil {
		return ScanningConfiguration{}, err
	}
	if err := r.checkAccount(ctx); err != nil {
		return ScanningConfiguration{}, err
	}
	in := &ecr.PutRegistryScanningConfigurationInput{ScanType: types.ScanType(c.Type), Rules: []types.RegistryScanningRule{}}
	for _, rule := range c.Rules {
		sent := types.RegistryScanningRule{ScanFrequency: types.ScanFrequency(rule.Frequency), RepositoryFilters: []types.ScanningRepositoryFilter{}}
		for _, f := range rule.Filters {
			sent.RepositoryFilters = append(sent.RepositoryFilters, types.ScanningRepositoryFilter{
				Filter: aws.String(f), FilterType: types.ScanningRepositoryFilterTypeWildcard,
			})
		}
		in.Rules = append(in.Rules, sent)
	}
	out, err := r.api.PutRegistryScanningConfiguration(ctx, in)
	var blocked *types.BlockedByOrganizationPolicyException
	switch {
	case errors.As(err, &blocked):
		return ScanningConfiguration{}, fmt.Errorf("%s of %s: the policy of the organization sets it, and only that can change it: %s",
			scanningObject, r.Registry, auth.Redact(blocked.ErrorMessage()))
	case err != nil:
		return ScanningConfiguration{}, r.fail(scanningObject, "", err)
	}
	return r.scanningConfiguration(out.RegistryScanningConfiguration)
}

func (r *Registry) scanningConfiguration(answer *types.RegistryScanningConfiguration) (ScanningConfiguration, error) {
	if answer == nil || answer.ScanType == "" {
		return ScanningConfiguration{}, fmt.Errorf("%s of %s: the answer has no scan type", scanningObject, r.Registry)
	}
	c := ScanningConfiguration{Type: string(answer.ScanType), Rules: []ScanningRule{}}
	for _, rule := range answer.Rules {
		c.Rules = append(c.Rules, ScanningRule{string(rule.ScanFrequency), scanFilters(rule.RepositoryFilters)})
	}
	return c, nil
}

func scanFilters(filters []types.ScanningRepositoryFilter) []string {
	patterns := []string{}
	for _, f := range filters {
		patterns = append(patterns, aws.ToString(f.Filter))
	}
	return patterns
}

// Scanning reads what applies to repositories, by name. One that is missing is not in
// it. The error wraps [ErrOtherAccount].
func (r *Registry) Scanning(ctx context.Context, repositories []string) (map[string]Scanning, error) {
	all := map[string]Scanning{}
	if len(repositories) == 0 {
		return all, nil
	}
	c, err := r.ScanningConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	for names := range slices.Chunk(repositories, maxScanNames) {
		out, err := r.api.BatchGetRepositoryScanningConfiguration(ctx, &ecr.BatchGetRepositoryScanningConfigurationInput{RepositoryNames: names})
		if err != nil {
			return nil, r.fail("scanning of repositories", "", err)
		}
		for _, s := range out.ScanningConfigurations {
			all[aws.ToString(s.RepositoryName)] = Scanning{
				Type: c.Type, Frequency: string(s.ScanFrequency), OnPush: s.ScanOnPush, Filters: scanFilters(s.AppliedScanFilters),
			}
		}
		for _, f := range out.Failures {
			if f.FailureCode != types.ScanningConfigurationFailureCodeRepositoryNotFound {
				return nil, fmt.Errorf("scanning of %s/%s: %s: %s", r.Host, aws.ToString(f.RepositoryName), f.FailureCode, auth.Redact(aws.ToString(f.FailureReason)))
			}
		}
	}
	return all, nil
}
