package governance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

var (
	// ErrNoCacheRule reports that a registry has no pull-through cache rule for a prefix.
	ErrNoCacheRule = errors.New("there is no such pull-through cache rule")
	// ErrCacheRuleInvalid reports that Amazon ECR cannot use an upstream registry with the credentials of a rule.
	ErrCacheRuleInvalid = errors.New("the pull-through cache rule does not work")
	// ErrNoCredential reports a rule for an upstream registry that Amazon ECR uses with credentials only.
	ErrNoCredential = errors.New("the rule has no secret")
	// ErrCacheRuleFixed reports a change that Amazon ECR does not have: the upstream of a rule is fixed.
	ErrCacheRuleFixed = errors.New("the upstream of a pull-through cache rule cannot change")
)

// A CacheRule makes repositories below a prefix caches of an upstream registry:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PullThroughCacheRule.html.
type CacheRule struct {
	Prefix         string     `json:"ecrRepositoryPrefix"`
	Upstream       string     `json:"upstreamRegistryUrl"`
	UpstreamPrefix string     `json:"upstreamRepositoryPrefix,omitempty"`
	Registry       string     `json:"upstreamRegistry,omitempty"` // kind, such as docker-hub
	Credential     string     `json:"credentialArn,omitempty"`
	CustomRole     string     `json:"customRoleArn,omitempty"`
	CreatedAt      *time.Time `json:"createdAt,omitempty"`
	UpdatedAt      *time.Time `json:"updatedAt,omitempty"`
}

var (
	// API reference of CreatePullThroughCacheRule.
	cachePrefix = lazyregexp.New(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*/?$`)
	// User guide, pull-through-cache-creating-secret: the name of the secret begins with ecr-pullthroughcache/.
	cacheSecret = lazyregexp.New(`^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):[0-9]{12}:secret:ecr-pullthroughcache/`)
)

// Validate checks what Amazon ECR would refuse.
func (c CacheRule) Validate(region string) error {
	switch {
	case c.Prefix != RootPrefix && (len(c.Prefix) < 2 || len(c.Prefix) > 30 || !cachePrefix.MatchString(c.Prefix)):
		return fmt.Errorf("prefix %q must be %s, or 2 to 30 characters of the beginning of a repository's name", c.Prefix, RootPrefix)
	case c.Upstream == "" || strings.Contains(c.Upstream, "://") || strings.Contains(c.Upstream, "/"):
		return fmt.Errorf("upstream %q must be the host of a registry, such as registry-1.docker.io", c.Upstream)
	}
	if docker := strings.TrimPrefix(strings.TrimPrefix(c.Upstream, "index."), "hub."); docker == "docker.io" || docker == "docker.com" {
		return fmt.Errorf("upstream %q must be registry-1.docker.io, the registry of Docker Hub", c.Upstream)
	}
	if c.Credential == "" {
		return nil
	}
	m := cacheSecret.FindStringSubmatch(c.Credential)
	switch {
	case m == nil:
		return fmt.Errorf("credential %q must be the ARN of a secret of AWS Secrets Manager whose name begins with ecr-pullthroughcache/", c.Credential)
	case m[1] != region:
		return fmt.Errorf("credential %s is a secret of region %s, and the registry is in %s", c.Credential, m[1], region)
	}
	return nil
}

// withCredentials are the upstream registries that Amazon ECR uses with credentials only, besides those below .azurecr.io:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-rule.html.
var withCredentials = []string{"registry-1.docker.io", "ghcr.io", "registry.gitlab.com", "cgr.dev"}

// NeedsCredential reports whether Amazon ECR refuses the rule because it has no credentials.
func (c CacheRule) NeedsCredential() bool {
	return c.Credential == "" && (slices.Contains(withCredentials, c.Upstream) || strings.HasSuffix(c.Upstream, ".azurecr.io"))
}

const cacheRuleObject = "pull-through cache rule"

// CacheRules returns the rules of the registry: all, or those of prefixes. The error wraps [ErrNoCacheRule] if one is
// missing.
func (r *Registry) CacheRules(ctx context.Context, prefixes ...string) ([]CacheRule, error) {
	rules := []CacheRule{}
	in := &ecr.DescribePullThroughCacheRulesInput{RegistryId: aws.String(r.Account), EcrRepositoryPrefixes: prefixes}
	pages := ecr.NewDescribePullThroughCacheRulesPaginator(r.api, in, func(o *ecr.DescribePullThroughCacheRulesPaginatorOptions) { o.StopOnDuplicateToken = true })
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, r.failCacheRule(strings.Join(prefixes, ", "), err)
		}
		for _, p := range page.PullThroughCacheRules {
			rules = append(rules, CacheRule{
				Prefix: aws.ToString(p.EcrRepositoryPrefix), Upstream: aws.ToString(p.UpstreamRegistryUrl), UpstreamPrefix: aws.ToString(p.UpstreamRepositoryPrefix),
				Registry: string(p.UpstreamRegistry), Credential: aws.ToString(p.CredentialArn), CustomRole: aws.ToString(p.CustomRoleArn), CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
			})
		}
	}
	return rules, nil
}

func (r *Registry) failCacheRule(prefix string, err error) error {
	var none *types.PullThroughCacheRuleNotFoundException
	if errors.As(err, &none) {
		return fmt.Errorf("%s: %s: %w", r.Host, prefix, ErrNoCacheRule)
	}
	return r.fail(strings.TrimSpace(cacheRuleObject+" "+prefix), "", err)
}

// CreateCacheRule creates a rule. If an answer was lost, the same one is taken for the one
// that the call has created.
func (r *Registry) CreateCacheRule(ctx context.Context, c CacheRule) error {
	in := &ecr.CreatePullThroughCacheRuleInput{
		RegistryId: aws.String(r.Account), EcrRepositoryPrefix: aws.String(c.Prefix), UpstreamRegistryUrl: aws.String(c.Upstream),
		UpstreamRegistry: types.UpstreamRegistry(c.Registry), CredentialArn: optionalString(c.Credential),
		CustomRoleArn: optionalString(c.CustomRole), UpstreamRepositoryPrefix: optionalString(c.UpstreamPrefix),
	}
	calling, earlier := awscalls.WithEarlier(ctx)
	_, err := r.api.CreatePullThroughCacheRule(calling, in)
	var exists *types.PullThroughCacheRuleAlreadyExistsException
	if errors.As(err, &exists) && earlier.MayHaveRun() && r.hasCacheRule(ctx, c) {
		return nil
	}
	if err != nil {
		return r.failCacheRule(c.Prefix, err)
	}
	return nil
}

// hasCacheRule reports whether the registry has the rule c.
func (r *Registry) hasCacheRule(ctx context.Context, c CacheRule) bool {
	rules, err := r.CacheRules(ctx, c.Prefix)
	if err != nil || len(rules) != 1 {
		return false
	}
	return c.SameUpstream(rules[0]) && rules[0].Credential == c.Credential && rules[0].CustomRole == c.CustomRole
}

// SameUpstream reports whether an existing rule caches what c says. A kind that c does not say may be any.
func (c CacheRule) SameUpstream(existing CacheRule) bool {
	return existing.Upstream == c.Upstream && cmp.Or(existing.UpstreamPrefix, RootPrefix) == cmp.Or(c.UpstreamPrefix, RootPrefix) &&
		(existing.Registry == c.Registry || c.Registry == "")
}

// UpdateCacheRule replaces the credentials of a rule. The error wraps [ErrNoCacheRule] if it does not exist.
func (r *Registry) UpdateCacheRule(ctx context.Context, c CacheRule) error {
	in := &ecr.UpdatePullThroughCacheRuleInput{
		RegistryId: aws.String(r.Account), EcrRepositoryPrefix: aws.String(c.Prefix),
		CredentialArn: optionalString(c.Credential), CustomRoleArn: optionalString(c.CustomRole),
	}
	if _, err := r.api.UpdatePullThroughCacheRule(ctx, in); err != nil {
		return r.failCacheRule(c.Prefix, err)
	}
	return nil
}

// DeleteCacheRule deletes a rule. Repositories and images that it cached stay. The error wraps [ErrNoCacheRule] if it does
// not exist.
func (r *Registry) DeleteCacheRule(ctx context.Context, prefix string) error {
	in := &ecr.DeletePullThroughCacheRuleInput{RegistryId: aws.String(r.Account), EcrRepositoryPrefix: aws.String(prefix)}
	calling, earlier := awscalls.WithEarlier(ctx)
	_, err := r.api.DeletePullThroughCacheRule(calling, in)
	if err != nil {
		if err = r.failCacheRule(prefix, err); errors.Is(err, ErrNoCacheRule) && earlier.MayHaveRun() {
			return nil // an answer was lost
		}
	}
	return err
}

// ValidateCacheRule has Amazon ECR try the upstream registry with the rule's credentials. The error wraps
// [ErrCacheRuleInvalid] with what Amazon ECR says if they do not work.
func (r *Registry) ValidateCacheRule(ctx context.Context, prefix string) error {
	out, err := r.api.ValidatePullThroughCacheRule(ctx, &ecr.ValidatePullThroughCacheRuleInput{RegistryId: aws.String(r.Account), EcrRepositoryPrefix: aws.String(prefix)})
	if err != nil {
		return r.failCacheRule(prefix, err)
	}
	if !out.IsValid {
		return fmt.Errorf("%s: %s: %w: %s", r.Host, prefix, ErrCacheRuleInvalid, aws.ToString(out.Failure))
	}
	return nil
}

// WaitCacheRule tries a rule until it works, or limit is over: then it returns the last error.
func (r *Registry) WaitCacheRule(ctx context.Context, prefix string, limit time.Duration) error {
	var last error
	_, err := await(ctx, limit, func(ctx context.Context) (bool, error) {
		last = r.ValidateCacheRule(ctx, prefix)
		if errors.Is(last, ErrCacheRuleInvalid) {
			return false, nil
		}
		return last == nil, last
	})
	if err != nil {
		return err
	}
	return last
}

func optionalString(s string) *string {
	if s == "" {
		return nil
	}
	return aws.String(s)
}
