package auth

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/ecrkit/ecrkit/internal/ecrhost"
)

// Rule is which AWS identity is used for the registries of some hosts, and
// which registry is behind a host that is no Amazon ECR name. Of an ordered list
// the first rule that matches counts; empty fields leave things as they are.
type Rule struct {
	// Host is a host[:port], or a pattern of them in the syntax of [path.Match]:
	// "*.dkr.ecr.eu-west-1.amazonaws.com".
	Host string

	Profile    string // of the AWS config files
	RoleARN    string // assumed from Profile, or from the identity in use without it
	ExternalID string // for RoleARN

	// OIDCRoleARN is assumed with the OIDC token of a job in GitHub Actions or another
	// system, instead of the identity of Profile; see [OIDCRoleVariable].
	OIDCRoleARN string

	Region     string // of the registry, if it does not follow from the host
	RegistryID string // the account of the registry, if it does not follow from the host
	Endpoint   string // URL of the ECR API

	// CacheIdentity promises that a credential_process, an instance profile or
	// another source whose principal could change is always one principal, whose
	// name for the cache this is. Without it such a source is asked each time.
	CacheIdentity string
	// Disabled hosts are treated as if they were not of Amazon ECR.
	Disabled bool
	// IgnoreEnvironment makes Profile count even if the environment names an
	// identity (AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE).
	IgnoreEnvironment bool
}

// Validate returns what is wrong with a rule, or nil.
func (rule *Rule) Validate() error {
	if rule.Host == "" {
		return errors.New("a rule without a host; write host: NAME or a pattern such as *.example.com")
	}
	if _, err := path.Match(rule.Host, ""); err != nil {
		if _, err := ecrhost.Normalize(rule.Host); err != nil {
			return fmt.Errorf("host %q: %w", rule.Host, err)
		}
	}
	if strings.Contains(rule.Host, "/") {
		return fmt.Errorf("host %q: write the host alone, without scheme and path", rule.Host)
	}
	if rule.RegistryID != "" && !ecrhost.IsAccount(rule.RegistryID) {
		return fmt.Errorf("host %q: registry_id %q is not an AWS account of 12 digits (in YAML put it in quotes)", rule.Host, rule.RegistryID)
	}
	if rule.Region != "" && !ecrhost.IsRegion(rule.Region) {
		return fmt.Errorf("host %q: region %q is not an AWS region", rule.Host, rule.Region)
	}
	if rule.ExternalID != "" && rule.RoleARN == "" {
		return fmt.Errorf("host %q: external_id without role_arn", rule.Host)
	}
	if rule.IgnoreEnvironment && rule.Profile == "" {
		return fmt.Errorf("host %q: ignore_environment without profile", rule.Host)
	}
	if rule.RoleARN != "" && !strings.HasPrefix(rule.RoleARN, "arn:") {
		return fmt.Errorf("host %q: role_arn %q is not an ARN", rule.Host, rule.RoleARN)
	}
	switch {
	case rule.OIDCRoleARN != "" && !strings.HasPrefix(rule.OIDCRoleARN, "arn:"):
		return fmt.Errorf("host %q: oidc_role_arn %q is not an ARN", rule.Host, rule.OIDCRoleARN)
	case rule.OIDCRoleARN != "" && rule.Profile != "":
		return fmt.Errorf("host %q: profile and oidc_role_arn exclude each other", rule.Host)
	}
	if rule.Endpoint != "" {
		if u, err := url.Parse(rule.Endpoint); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return fmt.Errorf("host %q: endpoint %q is not an http or https URL", rule.Host, withoutUserOfHost(rule.Endpoint))
		}
	}
	return nil
}

// matches reports whether host, as normalizeHost returns it, is the rule's.
func (rule *Rule) matches(host string) bool {
	pattern := strings.ToLower(rule.Host)
	if pattern == host {
		return true
	}
	ok, err := path.Match(pattern, host)
	return ok && err == nil
}

// Registries knows which registry is behind a host. The zero value knows the
// names of Amazon ECR.
type Registries struct {
	Mapping Mapping // wins over Rules
	Rules   []Rule
}

// Parse finds the registry behind host as [ParseRegistry] does, and by the first
// rule that matches. A rule that is disabled makes the host one that is not ECR.
func (rs Registries) Parse(host string) (Registry, error) {
	authority, err := ecrhost.Normalize(host)
	if err != nil {
		return Registry{}, fmt.Errorf("host %q: %w (%w)", withoutUserOfHost(host), ErrNotECR, err)
	}
	rule, _ := rs.Rule(authority)
	if rule.Disabled {
		return Registry{}, fmt.Errorf("host %q: %w (disabled in the configuration)", authority, ErrNotECR)
	}
	r, err := ParseRegistry(authority, rs.Mapping)
	if _, mapped := rs.Mapping[authority]; mapped {
		return r, err
	}
	if err != nil && (rule.RegistryID == "" || rule.Region == "") {
		if rule.Host != "" {
			return Registry{}, fmt.Errorf("%w; its rule in the configuration needs registry_id and region, which the host name does not contain", err)
		}
		return Registry{}, err
	}
	r.Host = authority
	if rule.RegistryID != "" {
		r.Account = rule.RegistryID
	}
	if rule.Region != "" {
		r.Region, r.Partition = rule.Region, ecrhost.PartitionOf(rule.Region).Name
	}
	return r, nil
}

// Rule returns the rule for a host as [Registry] has it, and its place in Rules,
// counted from 0. Without one the rule is empty and the place -1.
func (rs Registries) Rule(host string) (Rule, int) {
	for i := range rs.Rules {
		if rs.Rules[i].matches(host) {
			return rs.Rules[i], i
		}
	}
	return Rule{}, -1
}
