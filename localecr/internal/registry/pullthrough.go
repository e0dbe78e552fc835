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

// Source of the patterns, lengths and counts: API reference of CreatePullThroughCacheRule; user guide, service quotas.
const (
	maxCacheRules  = 50
	maxCachePrefix = 30
	minSecretARN   = 50
	maxSecretARN   = 612
)

var (
	cachePrefixPattern  = lazyregexp.New(`^((?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*/?|ROOT)$`)
	secretPattern       = lazyregexp.New(`^arn:aws:secretsmanager:[a-zA-Z0-9:-]+:secret:ecr-pullthroughcache/[a-zA-Z0-9/_+=.@-]+$`)
	upstreamHostPattern = lazyregexp.New(`^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?$`)
	upstreamECRPattern  = lazyregexp.New(`^[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.`)
)

// bucketCacheRules is where a registry has its pull-through cache rules: prefix without the / at its end →
// types.PullThroughCacheRule.
var bucketCacheRules = []byte("pullThroughCacheRules")

// upstreams are the upstream registries that Amazon ECR knows by one name; authenticated are those that need a secret
// (user guide, pull through cache).
var (
	upstreams = map[string]types.UpstreamRegistry{
		"public.ecr.aws":       types.UpstreamRegistryEcrPublic,
		"quay.io":              types.UpstreamRegistryQuay,
		"registry.k8s.io":      types.UpstreamRegistryK8s,
		"registry-1.docker.io": types.UpstreamRegistryDockerHub,
		"ghcr.io":              types.UpstreamRegistryGitHubContainerRegistry,
		"registry.gitlab.com":  types.UpstreamRegistryGitLabContainerRegistry,
		"cgr.dev":              types.UpstreamRegistryChainguard,
	}
	authenticated = []types.UpstreamRegistry{
		types.UpstreamRegistryDockerHub, types.UpstreamRegistryGitHubContainerRegistry, types.UpstreamRegistryGitLabContainerRegistry,
		types.UpstreamRegistryAzureContainerRegistry, types.UpstreamRegistryChainguard,
	}
)

// upstreamKind returns which upstream registry a host is, "" for another.
func upstreamKind(host string) types.UpstreamRegistry {
	switch {
	case strings.HasSuffix(host, ".azurecr.io"):
		return types.UpstreamRegistryAzureContainerRegistry
	case upstreamECRPattern.MatchString(host):
		return types.UpstreamRegistryEcr
	default:
		return upstreams[host]
	}
}

func cacheRuleKey(prefix *string) ([]byte, error) {
	return prefixKey("ecrRepositoryPrefix", prefix, 2, maxCachePrefix, cachePrefixPattern)
}

func (r *Registry) cacheRuleNotFound(prefix string) error {
	return &types.PullThroughCacheRuleNotFoundException{Message: aws.String(fmt.Sprintf(
		"The pull through cache rule with ecrRepositoryPrefix '%s' does not exist in the registry with id '%s'", prefix, r.account))}
}

// cacheRules returns the bucket of the rules, nil if the registry never had one.
func (r *Registry) cacheRules(tx *bolt.Tx) (*bolt.Bucket, error) {
	b, err := r.bucket(tx)
	if err != nil || b == nil {
		return nil, err
	}
	if tx.Writable() {
		return b.CreateBucketIfNotExists(bucketCacheRules)
	}
	return b.Bucket(bucketCacheRules), nil
}

// cacheRule returns the rule of a prefix. Errors: PullThroughCacheRuleNotFound, InvalidParameter.
func (r *Registry) cacheRule(tx *bolt.Tx, prefix *string) (rule types.PullThroughCacheRule, err error) {
	key, err := cacheRuleKey(prefix)
	if err != nil {
		return rule, err
	}
	b, err := r.cacheRules(tx)
	if err != nil {
		return rule, err
	}
	known := false
	if b != nil {
		if known, err = getJSON(b, key, &rule); err != nil {
			return rule, err
		}
	}
	if !known {
		return rule, r.cacheRuleNotFound(*prefix)
	}
	return rule, nil
}

// CreatePullThroughCacheRule makes a rule for the repositories whose names begin with a prefix. Errors:
// PullThroughCacheRuleAlreadyExists, UnsupportedUpstreamRegistry, SecretNotFound, LimitExceeded, InvalidParameter.
func (r *Registry) CreatePullThroughCacheRule(_ context.Context, in *ecr.CreatePullThroughCacheRuleInput) (*ecr.CreatePullThroughCacheRuleOutput, error) {
	key, err := cacheRuleKey(in.EcrRepositoryPrefix)
	if err != nil {
		return nil, err
	}
	rule := types.PullThroughCacheRule{
		CreatedAt: aws.Time(r.now()), UpdatedAt: aws.Time(r.now()), RegistryId: aws.String(r.account), EcrRepositoryPrefix: in.EcrRepositoryPrefix, UpstreamRegistry: in.UpstreamRegistry,
		UpstreamRegistryUrl: in.UpstreamRegistryUrl, UpstreamRepositoryPrefix: in.UpstreamRepositoryPrefix, CredentialArn: in.CredentialArn, CustomRoleArn: in.CustomRoleArn,
	}
	if err := r.checkUpstream(&rule); err != nil {
		return nil, err
	}
	if err := r.checkUpstreamCredentials(rule); err != nil {
		return nil, err
	}
	err = r.store.db.Update(func(tx *bolt.Tx) error {
		b, err := r.cacheRules(tx)
		if err != nil {
			return err
		}
		if b.Get(key) != nil {
			return &types.PullThroughCacheRuleAlreadyExistsException{Message: aws.String(fmt.Sprintf(
				"The pull through cache rule with ecrRepositoryPrefix '%s' already exists in the registry with id '%s'", *in.EcrRepositoryPrefix, r.account))}
		}
		if err := countUp(b, 1); err != nil {
			return err
		}
		if b.Sequence() > maxCacheRules {
			return limitExceeded("The registry with id '%s' already has the maximum allowed number of pull through cache rules, %d", r.account, maxCacheRules)
		}
		return putJSON(b, key, rule)
	})
	if err != nil {
		return nil, err
	}
	return &ecr.CreatePullThroughCacheRuleOutput{
		CreatedAt: rule.CreatedAt, CredentialArn: rule.CredentialArn, CustomRoleArn: rule.CustomRoleArn, EcrRepositoryPrefix: rule.EcrRepositoryPrefix, RegistryId: rule.RegistryId,
		UpstreamRegistry: rule.UpstreamRegistry, UpstreamRegistryUrl: rule.UpstreamRegistryUrl, UpstreamRepositoryPrefix: rule.UpstreamRepositoryPrefix,
	}, nil
}

// checkUpstream refuses a rule for a registry that is not supported, and fills in which it is.
func (r *Registry) checkUpstream(rule *types.PullThroughCacheRule) error {
	if rule.UpstreamRegistryUrl == nil {
		return invalidParameter("upstreamRegistryUrl", "must not be null")
	}
	host := *rule.UpstreamRegistryUrl
	if !upstreamHostPattern.MatchString(host) {
		return invalidParameter("upstreamRegistryUrl", "must be the host name of a registry, not '%s'", host)
	}
	if have := rule.UpstreamRegistry; have != "" && !slices.Contains(have.Values(), have) {
		return invalidParameter("upstreamRegistry", "must be one of %v", have.Values())
	}
	kind := upstreamKind(host)
	if kind == "" && !r.store.isUpstream(host) {
		return &types.UnsupportedUpstreamRegistryException{Message: aws.String(fmt.Sprintf("The specified upstream registry '%s' is not supported", host))}
	}
	if kind != "" && rule.UpstreamRegistry != "" && rule.UpstreamRegistry != kind {
		return invalidParameter("upstreamRegistry", "must be %s for %s", kind, host)
	}
	if kind != "" {
		rule.UpstreamRegistry = kind
	}
	if rule.UpstreamRepositoryPrefix == nil {
		rule.UpstreamRepositoryPrefix = aws.String(rootPrefix)
	}
	if prefix := *rule.UpstreamRepositoryPrefix; len(prefix) < 2 || len(prefix) > maxCachePrefix || !cachePrefixPattern.MatchString(prefix) {
		return invalidParameter("upstreamRepositoryPrefix", "must have a length between 2 and %d and satisfy regular expression '%s'", maxCachePrefix, cachePrefixPattern)
	}
	return nil
}

// checkUpstreamCredentials refuses a rule whose secret or role cannot be used. Errors: SecretNotFound, InvalidParameter.
func (r *Registry) checkUpstreamCredentials(rule types.PullThroughCacheRule) error {
	switch secret := rule.CredentialArn; {
	case secret == nil && slices.Contains(authenticated, rule.UpstreamRegistry):
		return invalidParameter("credentialArn", "must not be null for upstream registry %s", rule.UpstreamRegistry)
	case secret == nil:
	case len(*secret) < minSecretARN || len(*secret) > maxSecretARN:
		return invalidParameter("credentialArn", "must have a length between %d and %d", minSecretARN, maxSecretARN)
	case !secretPattern.MatchString(*secret):
		return invalidParameter("credentialArn", "must satisfy regular expression '%s'", secretPattern)
	case !r.store.hasSecret(*secret):
		return &types.SecretNotFoundException{Message: aws.String(fmt.Sprintf("The secret with ARN '%s' was not found", *secret))}
	}
	if role := rule.CustomRoleArn; role != nil {
		m := rolePattern.FindStringSubmatch(*role)
		switch {
		case len(*role) > maxRoleARN || m == nil:
			return invalidParameter("customRoleArn", "must be the ARN of a role, of at most %d characters", maxRoleARN)
		case m[2] != r.account:
			return invalidParameter("customRoleArn", "must be of the account of the registry, %s", r.account)
		case rule.UpstreamRegistry != types.UpstreamRegistryEcr:
			return invalidParameter("customRoleArn", "must be null unless the upstream registry is %s", types.UpstreamRegistryEcr)
		}
	}
	return nil
}

// UpdatePullThroughCacheRule changes the secret or role of a rule. Errors: PullThroughCacheRuleNotFound, SecretNotFound,
// InvalidParameter.
func (r *Registry) UpdatePullThroughCacheRule(_ context.Context, in *ecr.UpdatePullThroughCacheRuleInput) (*ecr.UpdatePullThroughCacheRuleOutput, error) {
	var rule types.PullThroughCacheRule
	err := r.store.db.Update(func(tx *bolt.Tx) (err error) {
		if rule, err = r.cacheRule(tx, in.EcrRepositoryPrefix); err != nil {
			return err
		}
		if in.CredentialArn == nil && in.CustomRoleArn == nil {
			return invalidParameter("credentialArn", "must not be null without a customRoleArn")
		}
		if in.CredentialArn != nil {
			rule.CredentialArn = in.CredentialArn
		}
		if in.CustomRoleArn != nil {
			rule.CustomRoleArn = in.CustomRoleArn
		}
		rule.UpdatedAt = aws.Time(r.now())
		if err := r.checkUpstreamCredentials(rule); err != nil {
			return err
		}
		b, err := r.cacheRules(tx)
		if err != nil {
			return err
		}
		return putJSON(b, []byte(strings.TrimSuffix(*in.EcrRepositoryPrefix, "/")), rule)
	})
	if err != nil {
		return nil, err
	}
	return &ecr.UpdatePullThroughCacheRuleOutput{
		CredentialArn: rule.CredentialArn, CustomRoleArn: rule.CustomRoleArn, EcrRepositoryPrefix: rule.EcrRepositoryPrefix, RegistryId: rule.RegistryId,
		UpdatedAt: rule.UpdatedAt, UpstreamRepositoryPrefix: rule.UpstreamRepositoryPrefix,
	}, nil
}

// DeletePullThroughCacheRule removes a rule. What was cached stays. Errors: PullThroughCacheRuleNotFound, InvalidParameter.
func (r *Registry) DeletePullThroughCacheRule(_ context.Context, in *ecr.DeletePullThroughCacheRuleInput) (*ecr.DeletePullThroughCacheRuleOutput, error) {
	var rule types.PullThroughCacheRule
	err := r.store.db.Update(func(tx *bolt.Tx) (err error) {
		if rule, err = r.cacheRule(tx, in.EcrRepositoryPrefix); err != nil {
			return err
		}
		b, err := r.cacheRules(tx)
		if err != nil {
			return err
		}
		if err := countUp(b, -1); err != nil {
			return err
		}
		return b.Delete([]byte(strings.TrimSuffix(*in.EcrRepositoryPrefix, "/")))
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeletePullThroughCacheRuleOutput{
		CreatedAt: rule.CreatedAt, CredentialArn: rule.CredentialArn, CustomRoleArn: rule.CustomRoleArn, EcrRepositoryPrefix: rule.EcrRepositoryPrefix, RegistryId: rule.RegistryId,
		UpstreamRegistryUrl: rule.UpstreamRegistryUrl, UpstreamRepositoryPrefix: rule.UpstreamRepositoryPrefix,
	}, nil
}

// DescribePullThroughCacheRules lists the rules by prefix, or those of the given prefixes. Errors:
// PullThroughCacheRuleNotFound (of a given prefix), InvalidParameter.
func (r *Registry) DescribePullThroughCacheRules(_ context.Context, in *ecr.DescribePullThroughCacheRulesInput) (*ecr.DescribePullThroughCacheRulesOutput, error) {
	p, err := newPage("DescribePullThroughCacheRules", in.NextToken, in.MaxResults, 100, 1000)
	if err != nil {
		return nil, err
	}
	out := &ecr.DescribePullThroughCacheRulesOutput{PullThroughCacheRules: []types.PullThroughCacheRule{}}
	err = r.store.db.View(func(tx *bolt.Tx) error {
		for _, prefix := range in.EcrRepositoryPrefixes {
			rule, err := r.cacheRule(tx, &prefix)
			if err != nil {
				return err
			}
			out.PullThroughCacheRules = append(out.PullThroughCacheRules, rule)
		}
		b, err := r.cacheRules(tx)
		if err != nil || b == nil || len(in.EcrRepositoryPrefixes) > 0 {
			return err
		}
		last, c := "", b.Cursor()
		for k, _ := seekAfter(c, p.after); k != nil; k, _ = c.Next() {
			if len(out.PullThroughCacheRules) == p.size {
				out.NextToken = p.next(last)
				return nil
			}
			var rule types.PullThroughCacheRule
			if _, err := getJSON(b, k, &rule); err != nil {
				return err
			}
			out.PullThroughCacheRules, last = append(out.PullThroughCacheRules, rule), string(k)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// PullThroughCacheRule returns the rule of a prefix. Errors: PullThroughCacheRuleNotFound, InvalidParameter.
func (r *Registry) PullThroughCacheRule(_ context.Context, prefix *string) (rule types.PullThroughCacheRule, err error) {
	err = r.store.db.View(func(tx *bolt.Tx) error {
		rule, err = r.cacheRule(tx, prefix)
		return err
	})
	return rule, err
}
