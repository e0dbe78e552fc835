package governance

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	ecrrepo "github.com/ecrkit/ecrkit/transfer/ecr"
)

// A Replica is the repository at a destination of replication that gets the images of another one. Amazon ECR replicates
// no settings: the repository has its own, or those of a repository creation template there.
type Replica struct {
	Destination ReplicationDestination
	Host        string // of the registry there
	// Exists is false if Amazon ECR has yet to create the repository. Mutability and Lifecycle are then what it would be
	// created with.
	Exists     bool
	Mutability Mutability
	Lifecycle  bool // it has a lifecycle policy
	// Err reports why nothing but Destination is known.
	Err error
}

// Replicas returns the replicas of repositories in the registry's own account, by the name of the repository, and the
// destinations in other accounts that get images of these repositories: only an identity of such an account can read the
// settings there. open returns the registry of the account in a region. The error wraps [ErrOtherAccount].
func (r *Registry) Replicas(ctx context.Context, repositories []Description, open func(ctx context.Context, region string) (*Registry, error)) (_ map[string][]Replica, elsewhere []ReplicationDestination, _ error) {
	c, err := r.ReplicationConfiguration(ctx)
	if err != nil {
		return nil, nil, err
	}
	all := map[string][]Replica{}
	for _, destination := range c.Destinations() {
		var names []string
		for _, d := range repositories {
			if c.replicates(d.Name, destination) {
				names = append(names, d.Name)
			}
		}
		if destination.Account != r.Account {
			if len(names) > 0 {
				elsewhere = append(elsewhere, destination)
			}
			continue
		}
		replicas, err := map[string]Replica(nil), error(nil)
		if len(names) > 0 {
			var far *Registry
			if far, err = open(ctx, destination.Region); err == nil {
				replicas, err = far.replicas(ctx, names)
			}
		}
		for _, name := range names {
			replica := replicas[name]
			replica.Destination, replica.Err = destination, err
			all[name] = append(all[name], replica)
		}
	}
	return all, elsewhere, ctx.Err()
}

// replicates reports whether a rule replicates a repository to a destination.
func (c ReplicationConfiguration) replicates(repository string, destination ReplicationDestination) bool {
	return slices.ContainsFunc(c.Rules, func(rule ReplicationRule) bool {
		return slices.Contains(rule.Destinations, destination) && (len(rule.Filters) == 0 ||
			slices.ContainsFunc(rule.Filters, func(f ReplicationFilter) bool { return strings.HasPrefix(repository, f.Filter) }))
	})
}

// replicas returns what repositories that replication fills are like, or would be.
func (r *Registry) replicas(ctx context.Context, names []string) (map[string]Replica, error) {
	existing := map[string]ecrrepo.RepositoryDescription{}
	for repository, err := range r.Repositories(ctx, "*") {
		if err != nil {
			return nil, err
		}
		existing[repository.Name] = repository
	}
	var templates []Template
	if slices.ContainsFunc(names, func(name string) bool { _, ok := existing[name]; return !ok }) {
		var err error
		if templates, err = r.Templates(ctx); err != nil {
			return nil, err
		}
	}
	list := make([]Replica, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelDescriptions)
	for i, name := range names {
		list[i].Host = r.Host
		d, ok := existing[name]
		if !ok {
			if err := list[i].created(templates, name); err != nil {
				return nil, errors.Join(err, g.Wait())
			}
			continue
		}
		list[i].Exists, list[i].Mutability = true, MutabilityOf(d)
		g.Go(func() error {
			_, err := r.LifecyclePolicy(ctx, name)
			list[i].Lifecycle = err == nil
			if errors.Is(err, ErrNoLifecyclePolicy) {
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := map[string]Replica{}
	for i, name := range names {
		all[name] = list[i]
	}
	return all, nil
}

// created says with what Amazon ECR creates a repository for replication: the template with the longest prefix, see
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html.
func (p *Replica) created(templates []Template, name string) (err error) {
	var best *Template
	for i, t := range templates {
		matches := t.Prefix == RootPrefix || strings.HasPrefix(name, strings.TrimSuffix(t.Prefix, "/")+"/")
		if matches && slices.Contains(t.AppliedFor, string(types.RCTAppliedForReplication)) &&
			(best == nil || best.Prefix == RootPrefix || t.Prefix != RootPrefix && len(t.Prefix) > len(best.Prefix)) {
			best = &templates[i]
		}
	}
	if best == nil {
		return nil // tags that can be moved, and no lifecycle policy
	}
	p.Mutability, err = best.Mutability()
	p.Lifecycle = best.LifecyclePolicy != nil
	return err
}

// A CheckedCacheRule is a pull-through cache rule that Amazon ECR has tried, if it has credentials.
type CheckedCacheRule struct {
	CacheRule
	Err error // wraps ErrCacheRuleInvalid if the rule does not work; any other if that is not known
}

// CheckCacheRules reads the rules of the registry, and has Amazon ECR try those with credentials or a role.
func (r *Registry) CheckCacheRules(ctx context.Context) ([]CheckedCacheRule, error) {
	rules, err := r.CacheRules(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]CheckedCacheRule, len(rules))
	for i, rule := range rules {
		all[i].CacheRule = rule
		if rule.Credential != "" || rule.CustomRole != "" {
			all[i].Err = r.ValidateCacheRule(ctx, rule.Prefix)
		}
	}
	return all, ctx.Err()
}
