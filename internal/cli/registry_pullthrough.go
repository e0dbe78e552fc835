package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
)

const pullThroughHelp = `Pull-through caches: repositories that Amazon ECR fills from another registry when they are pulled.

  ecrkit registry pull-through set docker-hub registry-1.docker.io --credential ARN
  ecrkit registry pull-through status docker-hub --wait
  docker pull HOST/docker-hub/library/alpine:3`

const pullThroughGetHelp = `Show the pull-through cache rules of a registry.

  ecrkit registry pull-through get
  ecrkit registry pull-through get HOST --output json

Prints one line for each rule, or with --output json one object: registry, host, rules
(ecrRepositoryPrefix, upstreamRegistryUrl, upstreamRepositoryPrefix, upstreamRegistry,
credentialArn, customRoleArn, createdAt, updatedAt). Needs ecr:DescribePullThroughCacheRules.`

const pullThroughSetHelp = `Create a pull-through cache rule, or replace its credentials.

  ecrkit registry pull-through set ecr-public public.ecr.aws
  ecrkit registry pull-through set docker-hub registry-1.docker.io --credential ARN
  ecrkit registry pull-through set team OTHER-HOST --custom-role ARN

Repositories whose names begin with PREFIX/ become caches of UPSTREAM, the host of a registry;
the prefix ROOT is for all names. --credential is a secret of AWS Secrets Manager whose name begins
with ecr-pullthroughcache/, in the registry's region. --custom-role is for an upstream in Amazon
ECR of another account. What Amazon ECR would refuse is refused before any call (exit code 2).

The upstream of an existing rule cannot change (exit code 5): remove the rule first. Cached
images stay. Without --credential and --custom-role an existing rule keeps its own. --dry-run shows
what would change.

Prints each change, or with --output json one object: registry, host, dryRun, changed, changes
(setting, from, to). Needs ecr:DescribePullThroughCacheRules, ecr:CreatePullThroughCacheRule and
ecr:UpdatePullThroughCacheRule.`

const pullThroughRmHelp = `Remove a pull-through cache rule. Cached images stay.

  ecrkit registry pull-through rm docker-hub
  ecrkit registry pull-through rm docker-hub HOST --yes

On a terminal it asks; --yes does not ask, and is needed without a terminal. --dry-run shows what
would change. Prints what ecrkit registry pull-through set prints. Needs
ecr:DescribePullThroughCacheRules and ecr:DeletePullThroughCacheRule.`

const pullThroughStatusHelp = `Have Amazon ECR try whether a pull-through cache rule works.

  ecrkit registry pull-through status docker-hub
  ecrkit registry pull-through status docker-hub HOST --wait --timeout 2m

Amazon ECR connects to the upstream registry with the credentials of the rule. --wait tries again
until that works, but not longer than --timeout: a new secret or role takes a while to be known
everywhere.

Exit code 1 if the rule does not work, with what Amazon ECR says. Prints the rule, or with
--output json one object: rule, valid. Needs ecr:DescribePullThroughCacheRules and
ecr:ValidatePullThroughCacheRule.`

func newRegistryPullThroughCommand(app *App) *cobra.Command {
	get := &cobra.Command{
		Use:     "get [HOST]",
		Aliases: []string{"ls", "list"},
		Short:   "Show the pull-through cache rules of a registry",
		Long:    pullThroughGetHelp,
		Args:    arguments(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.listCacheRules(cmd.Context(), optional(args, 0))
		},
	}
	var rule governance.CacheRule
	var dryRun bool
	set := &cobra.Command{
		Use:   "set PREFIX UPSTREAM [HOST]",
		Short: "Create a pull-through cache rule, or replace its credentials",
		Long:  pullThroughSetHelp,
		Args:  arguments(1, "PREFIX", "UPSTREAM", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			rule.Prefix, rule.Upstream = args[0], args[1]
			return app.setCacheRule(cmd.Context(), rule, optional(args, 2), dryRun)
		},
	}
	flags := set.Flags()
	flags.StringVar(&rule.Credential, "credential", "", "`ARN` of the secret with the credentials for UPSTREAM")
	flags.StringVar(&rule.CustomRole, "custom-role", "", "`ARN` of the role for an UPSTREAM in Amazon ECR")
	flags.StringVar(&rule.UpstreamPrefix, "upstream-prefix", "", "only repositories of UPSTREAM below this `prefix`")
	flags.StringVar(&rule.Registry, "upstream-registry", "", "`kind` of UPSTREAM, such as docker-hub, where its host does not show it")
	flags.BoolVar(&dryRun, "dry-run", false, "show what would change, and change nothing")
	var f removalFlags
	rm := &cobra.Command{
		Use:   "rm PREFIX [HOST]",
		Short: "Remove a pull-through cache rule",
		Long:  pullThroughRmHelp,
		Args:  arguments(1, "PREFIX", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.removeCacheRule(cmd.Context(), args[0], optional(args, 1), f)
		},
	}
	f.add(rm)
	var w waitFlags
	status := &cobra.Command{
		Use:   "status PREFIX [HOST]",
		Short: "Try whether a pull-through cache rule works",
		Long:  pullThroughStatusHelp,
		Args:  arguments(1, "PREFIX", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.cacheRuleStatus(cmd.Context(), args[0], optional(args, 1), w)
		},
	}
	w.add(status, "try again until the rule works", 5*time.Minute)
	return newGroup("pull-through", "Manage caches of other registries", pullThroughHelp, get, set, rm, status)
}

func (app *App) cacheRules(rules []governance.CacheRule) (string, error) {
	t := table{header: []string{"PREFIX", "UPSTREAM", "CREDENTIALS"}}
	for _, rule := range rules {
		upstream := rule.Upstream
		if rule.UpstreamPrefix != "" && rule.UpstreamPrefix != governance.RootPrefix {
			upstream += "/" + rule.UpstreamPrefix
		}
		t.add(rule.Prefix, upstream, strings.TrimSpace(rule.Credential+" "+rule.CustomRole))
	}
	var text strings.Builder
	err := t.print(&text, app.columns())
	return text.String(), err
}

func (app *App) listCacheRules(ctx context.Context, host string) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	rules, err := r.CacheRules(ctx)
	if err != nil {
		return err
	}
	if len(rules) == 0 {
		app.Messagef("%s has no pull-through cache rules", r)
	}
	text, err := app.cacheRules(rules)
	if err != nil {
		return err
	}
	return app.PrintResult(struct {
		Registry string                 `json:"registry"`
		Host     string                 `json:"host"`
		Rules    []governance.CacheRule `json:"rules"`
	}{r.String(), r.Host, rules}, text)
}

// cacheRule reads the rule of a prefix; nil means none.
func cacheRule(ctx context.Context, r *governance.Registry, prefix string) (*governance.CacheRule, error) {
	rules, err := r.CacheRules(ctx, prefix)
	switch {
	case errors.Is(err, governance.ErrNoCacheRule):
		return nil, nil
	case err != nil || len(rules) == 0:
		return nil, err
	}
	return &rules[0], nil
}

func (app *App) setCacheRule(ctx context.Context, rule governance.CacheRule, host string, dryRun bool) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	if err := rule.Validate(r.Region); err != nil {
		return usageError{err}
	}
	has, err := cacheRule(ctx, r, rule.Prefix)
	if err != nil {
		return err
	}
	var before governance.CacheRule
	put := r.CreateCacheRule
	if has != nil {
		before, put = *has, r.UpdateCacheRule
		if rule.Credential == "" && rule.CustomRole == "" { // Amazon ECR cannot take them away
			rule.Credential, rule.CustomRole = has.Credential, has.CustomRole
		}
		if has.Upstream != rule.Upstream || has.UpstreamPrefix != rule.UpstreamPrefix && rule.UpstreamPrefix != "" {
			return gatef("%s: %s: %w from %s; remove the rule first: ecrkit registry pull-through rm %s", r.Host, rule.Prefix, governance.ErrCacheRuleFixed, has.Upstream, rule.Prefix)
		}
	}
	if rule.NeedsCredential() {
		return usagef("Amazon ECR needs credentials for %s; pass --credential with the ARN of a secret in AWS Secrets Manager", rule.Upstream)
	}
	var changes []settingChange
	for _, s := range []settingChange{
		{"upstream", before.Upstream, rule.Upstream},
		{"upstream prefix", before.UpstreamPrefix, rule.UpstreamPrefix},
		{"credential", before.Credential, rule.Credential},
		{"custom role", before.CustomRole, rule.CustomRole},
	} {
		if s.From != s.To && (has == nil || s.Setting != "upstream prefix") {
			s.Setting = "pull-through cache " + rule.Prefix + ": " + s.Setting
			changes = append(changes, s)
		}
	}
	if len(changes) > 0 && !dryRun {
		if err := put(ctx, rule); err != nil {
			return err
		}
	}
	return app.printRegistryChanges(r, dryRun, changes)
}

func (app *App) removeCacheRule(ctx context.Context, prefix, host string, f removalFlags) error {
	if err := f.check(app, "registry pull-through rm"); err != nil {
		return err
	}
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	rules, err := r.CacheRules(ctx, prefix)
	if err != nil {
		return err
	}
	if len(rules) == 0 {
		return fmt.Errorf("%s: %s: %w", r.Host, prefix, governance.ErrNoCacheRule)
	}
	if err := f.confirm(ctx, app, "Remove the pull-through cache rule %s of %s?", prefix, r); err != nil {
		return err
	}
	if !f.dryRun {
		if err := r.DeleteCacheRule(ctx, prefix); err != nil {
			return err
		}
	}
	return app.printRegistryChanges(r, f.dryRun, []settingChange{{Setting: "pull-through cache " + prefix, From: rules[0].Upstream}})
}

func (app *App) cacheRuleStatus(ctx context.Context, prefix, host string, w waitFlags) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	rules, err := r.CacheRules(ctx, prefix)
	if err != nil {
		return err
	}
	if len(rules) == 0 {
		return fmt.Errorf("%s: %s: %w", r.Host, prefix, governance.ErrNoCacheRule)
	}
	end, err := w.showing(app, "the pull-through cache rule "+prefix)
	if err != nil {
		return err
	}
	invalid := r.WaitCacheRule(ctx, prefix, w.limit())
	end()
	if invalid != nil && !errors.Is(invalid, governance.ErrCacheRuleInvalid) {
		return invalid
	}
	text, err := app.cacheRules(rules)
	if err != nil {
		return err
	}
	err = app.PrintResult(struct {
		Rule  governance.CacheRule `json:"rule"`
		Valid bool                 `json:"valid"`
	}{rules[0], invalid == nil}, text)
	if err != nil {
		return err
	}
	return invalid
}
