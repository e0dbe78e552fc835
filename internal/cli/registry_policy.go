package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/internal/repopolicy"
)

const registryPolicyHelp = `The registry policy: which accounts may replicate to a registry or use its pull-through caches.

  ecrkit registry policy get HOST >policy.json
  ecrkit registry policy set policy.json HOST
  ecrkit registry policy rm HOST`

const registryPolicyGetHelp = `Show the policy of a registry.

  ecrkit registry policy get
  ecrkit registry policy get HOST --output json

Prints the JSON of the policy, in the form that ecrkit registry policy set takes. A registry
without one is not a failure (exit code 0): a message on stderr says so, and stdout stays empty.
With --output json one object: registry, host, policy, which is null if there is none. Needs
ecr:GetRegistryPolicy.`

const registryPolicySetHelp = `Set the policy of a registry, in place of an existing one.

  ecrkit registry policy set policy.json
  ecrkit registry policy set policy.json HOST --dry-run

FILE is the JSON of a policy, - is stdin. A policy that lets in everybody, any AWS account, is
refused (exit code 5): name accounts as principals, or add a condition such as
{"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}. --allow-everybody sets it
nevertheless.

Prints the change, or with --output json one object: registry, host, dryRun, changed, changes
(setting, from, to). A policy that means the same as the existing one is no change. Needs
ecr:GetRegistryPolicy and ecr:PutRegistryPolicy.`

const registryPolicyRmHelp = `Remove the policy of a registry: other accounts can no longer replicate to it.

  ecrkit registry policy rm
  ecrkit registry policy rm HOST --yes

On a terminal it shows the policy and asks; --yes does not ask, and is needed without a
terminal. --dry-run shows what would change. A registry without a policy is no failure. Prints
what ecrkit registry policy set prints. Needs ecr:GetRegistryPolicy and
ecr:DeleteRegistryPolicy.`

func newRegistryPolicyCommand(app *App) *cobra.Command {
	get := &cobra.Command{
		Use:   "get [HOST]",
		Short: "Show the policy of a registry",
		Long:  registryPolicyGetHelp,
		Args:  arguments(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.getRegistryPolicy(cmd.Context(), optional(args, 0))
		},
	}
	var everybody, dryRun bool
	set := &cobra.Command{
		Use:   "set FILE [HOST]",
		Short: "Set the policy of a registry",
		Long:  registryPolicySetHelp,
		Args:  arguments(1, "FILE", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.setRegistryPolicy(cmd.Context(), args[0], optional(args, 1), everybody, dryRun)
		},
	}
	set.Flags().BoolVar(&everybody, "allow-everybody", false, "set it also if it lets in everybody")
	set.Flags().BoolVar(&dryRun, "dry-run", false, "show what would change, and change nothing")
	var f removalFlags
	rm := &cobra.Command{
		Use:   "rm [HOST]",
		Short: "Remove the policy of a registry",
		Long:  registryPolicyRmHelp,
		Args:  arguments(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.removeRegistryPolicy(cmd.Context(), optional(args, 0), f)
		},
	}
	f.add(rm)
	return newGroup("policy", "Manage who may replicate to a registry", registryPolicyHelp, get, set, rm)
}

// currentRegistryPolicy reads the policy of a registry; nil means none.
func currentRegistryPolicy(ctx context.Context, r *governance.Registry) (json.RawMessage, error) {
	policy, err := r.RegistryPolicy(ctx)
	if errors.Is(err, governance.ErrNoRegistryPolicy) {
		return nil, nil
	}
	return policy, err
}

func (app *App) getRegistryPolicy(ctx context.Context, host string) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	policy, err := currentRegistryPolicy(ctx, r)
	if err != nil {
		return err
	}
	text := ""
	if policy == nil {
		app.Messagef("%s has no registry policy", r)
	} else {
		text = indented(policy) + "\n"
	}
	return app.PrintResult(struct {
		Registry string          `json:"registry"`
		Host     string          `json:"host"`
		Policy   json.RawMessage `json:"policy"`
	}{r.String(), r.Host, policy}, text)
}

func (app *App) setRegistryPolicy(ctx context.Context, path, host string, everybody, dryRun bool) error {
	text, err := app.readFile(path, 4*repopolicy.MaxLength) // the length is in characters
	if err != nil {
		return usageError{err}
	}
	document, err := repopolicy.ParseRegistry(text)
	if err != nil {
		return wrongDocument(path, text, permissionsPolicy, err)
	}
	if open := document.Open(); len(open) > 0 && !everybody {
		return gatef("%s: statement %d lets in everybody, any AWS account: name accounts as principals, or add a condition such as aws:PrincipalOrgID; "+
			"--allow-everybody sets it nevertheless", showFile(path), open[0].Number)
	}
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	has, err := currentRegistryPolicy(ctx, r)
	if err != nil {
		return err
	}
	if has != nil && repopolicy.Same(has, text) {
		return app.printRegistryChanges(r, dryRun, nil)
	}
	if !dryRun {
		if err := r.PutRegistryPolicy(ctx, string(text)); err != nil {
			return err
		}
	}
	return app.printRegistryChanges(r, dryRun, []settingChange{{"policy", oneLineOf(has), oneLineOf(text)}})
}

func (app *App) removeRegistryPolicy(ctx context.Context, host string, f removalFlags) error {
	if err := f.check(app, "registry policy rm"); err != nil {
		return err
	}
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	has, err := currentRegistryPolicy(ctx, r)
	if err != nil {
		return err
	}
	if has == nil {
		return app.printRegistryChanges(r, f.dryRun, nil)
	}
	if !f.yes && !f.dryRun {
		fmt.Fprintln(app.Stderr, indented(has))
	}
	if err := f.confirm(ctx, app, "Remove this policy from %s?", r); err != nil {
		return err
	}
	if !f.dryRun {
		if err := r.DeleteRegistryPolicy(ctx); err != nil {
			return err
		}
	}
	return app.printRegistryChanges(r, f.dryRun, []settingChange{{Setting: "policy", From: oneLineOf(has)}})
}
