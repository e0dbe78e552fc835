package governance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/repopolicy"
)

// registrySettings are the settings of a registry in the file of a desired state.
type registrySettings struct {
	Policy      any                       `yaml:"registryPolicy,omitempty"` // a policy, or none
	PolicyFile  string                    `yaml:"registryPolicyFile,omitempty"`
	CacheRules  []writtenCacheRule        `yaml:"pullThrough,omitempty"`
	Replication *ReplicationConfiguration `yaml:"replication,omitempty"`
}

// writtenCacheRule is a pull-through cache rule in the file.
type writtenCacheRule struct {
	Prefix         string `yaml:"prefix,omitempty"`
	Upstream       string `yaml:"upstream,omitempty"`
	UpstreamPrefix string `yaml:"upstreamPrefix,omitempty"`
	Registry       string `yaml:"upstreamRegistry,omitempty"`
	Credential     string `yaml:"credentialArn,omitempty"`
	CustomRole     string `yaml:"customRoleArn,omitempty"`
}

func (s registrySettings) empty() bool {
	return s.Policy == nil && s.PolicyFile == "" && len(s.CacheRules) == 0 && s.Replication == nil
}

// desired checks the settings, and puts them into d.
func (s registrySettings) desired(d *Desired, read func(string) ([]byte, error)) (err error) {
	if d.Policy, err = readDocument("registryPolicy", s.Policy, s.PolicyFile, read, func(text []byte) error {
		_, err := repopolicy.ParseRegistry(text)
		return err
	}); err != nil {
		return err
	}
	for i, w := range s.CacheRules {
		switch {
		case w.Prefix == "":
			return fmt.Errorf("pullThrough rule %d has no prefix", i+1)
		case slices.ContainsFunc(d.CacheRules, func(c CacheRule) bool { return c.Prefix == w.Prefix }):
			return fmt.Errorf("pullThrough rule %s is there twice", w.Prefix)
		}
		d.CacheRules = append(d.CacheRules, CacheRule{
			Prefix: w.Prefix, Upstream: w.Upstream, UpstreamPrefix: w.UpstreamPrefix, Registry: w.Registry, Credential: w.Credential, CustomRole: w.CustomRole,
		})
	}
	if d.Replication = s.Replication; d.Replication != nil {
		if err := d.Replication.checkRules(); err != nil {
			return fmt.Errorf("replication: %w", err)
		}
	}
	return nil
}

// For returns the desired state of the registry r, which its file did not have to name, with what depends on its account
// and region filled in. What Amazon ECR would refuse there is an error.
func (d Desired) For(r *Registry) (Desired, error) {
	for _, c := range d.CacheRules {
		if err := c.Validate(r.Region); err != nil {
			return d, fmt.Errorf("pullThrough rule %s: %w", c.Prefix, err)
		}
	}
	if d.Replication == nil {
		return d, nil
	}
	complete, err := d.Replication.Complete(r)
	if err != nil {
		return d, fmt.Errorf("replication: %w", err)
	}
	d.Replication = &complete
	return d, nil
}

// registrySteps are those of the registry's policy, its pull-through caches and its replication. Replication is last, so
// that the other account is let in, and templates exist, before an image is on its way.
func (d Desired) registrySteps(object string, s State) (steps []Step) {
	if p := d.Policy; p != nil && (p.Text != nil || s.Policy != nil) && !repopolicy.Same(p.Text, s.Policy) {
		step := Step{Object: object, Action: ActionChange, Setting: SettingRegistryPolicy, From: string(s.Policy), To: string(p.Text),
			do: func(ctx context.Context, r *Registry) error { return r.PutRegistryPolicy(ctx, string(p.Text)) }}
		if p.Text == nil {
			step.Action, step.do = ActionRemove, func(ctx context.Context, r *Registry) error { return r.DeleteRegistryPolicy(ctx) }
		}
		steps = append(steps, step)
	}
	for _, c := range d.CacheRules {
		has, exists := s.CacheRules[c.Prefix]
		after := c.over(has)
		step := Step{Object: object, Setting: SettingCacheRule + " " + c.Prefix, To: after.String()}
		switch {
		case !exists:
			step.Action = ActionCreate
			step.do = func(ctx context.Context, r *Registry) error { return r.CreateCacheRule(ctx, after) }
		case !after.SameUpstream(has):
			step.Action, step.From, step.To = ActionImpossible, has.source(), after.source()
		case after.Credential != has.Credential || after.CustomRole != has.CustomRole:
			step.Action, step.From = ActionChange, has.String()
			step.do = func(ctx context.Context, r *Registry) error { return r.UpdateCacheRule(ctx, after) }
		default:
			continue
		}
		steps = append(steps, step)
	}
	if c := d.Replication; c != nil && !c.Equal(s.Replication) {
		step := Step{Object: object, Action: ActionChange, Setting: SettingReplication, From: s.Replication.String(), To: c.String(),
			do: func(ctx context.Context, r *Registry) error { return r.PutReplicationConfiguration(ctx, *c) }}
		if len(c.Rules) == 0 {
			step.Action = ActionRemove
		}
		steps = append(steps, step)
	}
	return steps
}

// Settings of steps about a registry. That of a pull-through cache rule has its prefix after it.
const (
	SettingRegistryPolicy = "registryPolicy"
	SettingCacheRule      = "pullThrough"
	SettingReplication    = "replication"
)

// over returns the rule with what is not said of it as in the existing one.
func (c CacheRule) over(existing CacheRule) CacheRule {
	c.UpstreamPrefix = cmp.Or(c.UpstreamPrefix, existing.UpstreamPrefix)
	c.Registry = cmp.Or(c.Registry, existing.Registry)
	c.Credential = cmp.Or(c.Credential, existing.Credential)
	c.CustomRole = cmp.Or(c.CustomRole, existing.CustomRole)
	return c
}

// source is what the rule caches, for people.
func (c CacheRule) source() string {
	text := c.Upstream
	if c.UpstreamPrefix != "" && c.UpstreamPrefix != RootPrefix {
		text += "/" + c.UpstreamPrefix
	}
	if c.Registry != "" {
		text += " (" + c.Registry + ")"
	}
	return text
}

// String returns the rule as JSON, for people.
func (c CacheRule) String() string {
	c.CreatedAt, c.UpdatedAt = nil, nil
	text, err := json.Marshal(c)
	if err != nil {
		return c.Prefix
	}
	return string(text)
}

// String returns the configuration as JSON, for people; "" without rules.
func (c ReplicationConfiguration) String() string {
	if len(c.Rules) == 0 {
		return ""
	}
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Sprintf("%d rules", len(c.Rules))
	}
	return string(text)
}

// readRegistryState reads what d says of the registry's policy, its pull-through caches and its replication.
func (r *Registry) readRegistryState(ctx context.Context, d Desired, s *State) (err error) {
	if d.Policy != nil {
		if s.Policy, err = r.RegistryPolicy(ctx); err != nil && !errors.Is(err, ErrNoRegistryPolicy) {
			return err
		}
	}
	if len(d.CacheRules) > 0 {
		rules, err := r.CacheRules(ctx)
		if err != nil {
			return err
		}
		s.CacheRules = map[string]CacheRule{}
		for _, c := range rules {
			s.CacheRules[c.Prefix] = c
		}
		for _, c := range d.CacheRules {
			if c.over(s.CacheRules[c.Prefix]).NeedsCredential() {
				return fmt.Errorf("pullThrough rule %s: Amazon ECR needs credentials for %s: %w", c.Prefix, c.Upstream, ErrNoCredential)
			}
		}
	}
	if d.Replication != nil {
		if s.Replication, err = r.ReplicationConfiguration(ctx); err != nil {
			return err
		}
	}
	return nil
}

// writtenSettings reads the settings as a file says them. What the registry does not have is left out, and so is what
// follows from the registry or is the only value, so that the file can be used for another registry.
func (r *Registry) writtenSettings(ctx context.Context) (w registrySettings, err error) {
	policy, err := r.RegistryPolicy(ctx)
	if err != nil && !errors.Is(err, ErrNoRegistryPolicy) {
		return w, err
	}
	if w.Policy, err = inline(policy); err != nil {
		return w, fmt.Errorf("%s: %w", registryPolicyObject, err)
	}
	rules, err := r.CacheRules(ctx)
	if err != nil {
		return w, err
	}
	for _, c := range rules {
		if c.UpstreamPrefix == RootPrefix { // which it is without one
			c.UpstreamPrefix = ""
		}
		w.CacheRules = append(w.CacheRules, writtenCacheRule{
			Prefix: c.Prefix, Upstream: c.Upstream, UpstreamPrefix: c.UpstreamPrefix, Registry: c.Registry, Credential: c.Credential, CustomRole: c.CustomRole,
		})
	}
	slices.SortFunc(w.CacheRules, func(a, b writtenCacheRule) int { return cmp.Compare(a.Prefix, b.Prefix) })
	c, err := r.ReplicationConfiguration(ctx)
	if err != nil || len(c.Rules) == 0 {
		return w, err
	}
	for i := range c.Rules {
		rule := &c.Rules[i]
		for j := range rule.Destinations {
			if rule.Destinations[j].Account == r.Account {
				rule.Destinations[j].Account = ""
			}
		}
		for j := range rule.Filters {
			if rule.Filters[j].Type == string(types.RepositoryFilterTypePrefixMatch) {
				rule.Filters[j].Type = ""
			}
		}
	}
	w.Replication = &c
	return w, nil
}
