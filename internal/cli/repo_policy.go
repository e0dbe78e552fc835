package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
	"github.com/ecrkit/ecrkit/internal/repopolicy"
)

const repoPolicyHelp = `Repository policies: who may use a repository of Amazon ECR.

  ecrkit repo policy get HOST/team/app >policy.json
  ecrkit repo policy set policy.json HOST/team/app
  ecrkit repo policy rm HOST/team/app

A repository policy lets in other AWS accounts, services and organizations. Identities
of the account itself get permissions from their own IAM policies too.`

const repoPolicyGetHelp = `Show the policy of a repository.

  ecrkit repo policy get HOST/team/app
  ecrkit repo policy get team/app --output json

Prints the JSON of the policy, in the form that ecrkit repo policy set takes. A
repository without one is not a failure (exit code 0): a message on stderr says so, and
stdout stays empty. With --output json one object: repository, policy, which is null if
there is none. Needs ecr:GetRepositoryPolicy.`

const repoPolicySetHelp = `Set the policy of repositories, in place of an existing one.

  ecrkit repo policy set policy.json HOST/team/app
  ecrkit repo policy set policy.json team/app team/db --dry-run

FILE is the JSON of a policy, - is stdin. A policy that lets in everybody, any AWS
account, is refused (exit code 5): name accounts as principals, or add a condition such
as {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}. --allow-everybody sets it
nevertheless. Amazon ECR refuses a policy that would keep you from changing it again;
--force sets it nevertheless.

Prints each change, or with --output json one object: dryRun, repositories (repository,
changed, changes: setting, from, to). A policy that means the same as the existing one
is no change. Needs ecr:GetRepositoryPolicy and ecr:SetRepositoryPolicy.`

const repoPolicyRmHelp = `Remove the policy of a repository: other accounts can no longer use it.

  ecrkit repo policy rm HOST/team/app
  ecrkit repo policy rm team/app --yes

On a terminal it shows the policy and asks; --yes does not ask, and is needed where
there is no terminal. --dry-run shows what would change. A repository without one is no
failure. Prints what ecrkit repo policy set prints. Needs ecr:GetRepositoryPolicy and
ecr:DeleteRepositoryPolicy.`

func newRepoPolicyCommand(app *App) *cobra.Command {
	return newGroup("policy", "Manage who may use a repository", repoPolicyHelp,
		newRepoPolicyGetCommand(app), newRepoPolicySetCommand(app), newRepoPolicyRmCommand(app))
}

func newRepoPolicyGetCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "get NAME",
		Short: "Show the policy of a repository",
		Long:  repoPolicyGetHelp,
		Args:  arguments(0, "NAME"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.getRepositoryPolicy(cmd.Context(), args[0]) },
	}
}

// currentPolicy reads a policy; nil means none.
func currentPolicy(ctx context.Context, r *governance.Registry, repository string) (json.RawMessage, error) {
	policy, err := r.RepositoryPolicy(ctx, repository)
	if errors.Is(err, governance.ErrNoPolicy) {
		return nil, nil
	}
	return policy, err
}

func (app *App) getRepositoryPolicy(ctx context.Context, name string) error {
	r, reference, err := app.openGoverned(ctx, name)
	if err != nil {
		return err
	}
	policy, err := currentPolicy(ctx, r, reference.Repository)
	if err != nil {
		return err
	}
	text := ""
	if policy == nil {
		app.Messagef("%s has no repository policy", reference.Place())
	} else {
		text = indented(policy) + "\n"
	}
	return app.PrintResult(struct {
		Repository string          `json:"repository"`
		Policy     json.RawMessage `json:"policy"`
	}{reference.Place(), policy}, text)
}

// indented lays out JSON for people.
func indented(document json.RawMessage) string {
	var out bytes.Buffer
	if json.Indent(&out, document, "", "  ") != nil {
		return string(document)
	}
	return out.String()
}

// repoPolicySetFlags are the flags of `ecrkit repo policy set`.
type repoPolicySetFlags struct{ force, everybody, dryRun bool }

func newRepoPolicySetCommand(app *App) *cobra.Command {
	var f repoPolicySetFlags
	cmd := &cobra.Command{
		Use:   "set FILE NAME...",
		Short: "Set the policy of repositories",
		Long:  repoPolicySetHelp,
		Args:  atLeast("FILE", "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.setRepositoryPolicies(cmd.Context(), args[0], args[1:], f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.force, "force", false, "set it also if it would lock you out")
	flags.BoolVar(&f.everybody, "allow-everybody", false, "set it also if it lets in everybody")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would change, and change nothing")
	return cmd
}

func (app *App) setRepositoryPolicies(ctx context.Context, path string, names []string, f repoPolicySetFlags) error {
	text, err := app.readFile(path, 4*repopolicy.MaxLength) // the length is in characters
	if err != nil {
		return usageError{err}
	}
	document, err := repopolicy.ParseRepository(text)
	if err != nil {
		return wrongDocument(path, text, permissionsPolicy, err)
	}
	if open := document.Open(); len(open) > 0 && !f.everybody {
		return gatef("%s: statement %d lets in everybody, any AWS account: name accounts as principals, or add a condition such as aws:PrincipalOrgID; "+
			"--allow-everybody sets it nevertheless", showFile(path), open[0].Number)
	}
	result := repositoryChanges{DryRun: f.dryRun, Repositories: []changedRepository{}}
	var failures []error
	for _, name := range names {
		r, reference, err := app.openGoverned(ctx, name)
		if err != nil {
			return err
		}
		changed, err := setRepositoryPolicy(ctx, r, reference.Repository, text, f)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		changed.Repository = reference.Place()
		result.Repositories = append(result.Repositories, changed)
	}
	if len(result.Repositories) > 0 {
		if err := app.PrintResult(result, result.text()); err != nil {
			return err
		}
	}
	return partly(len(result.Repositories), failures)
}

func setRepositoryPolicy(ctx context.Context, r *governance.Registry, repository string, text []byte, f repoPolicySetFlags) (changedRepository, error) {
	changed := changedRepository{Changes: []settingChange{}}
	has, err := currentPolicy(ctx, r, repository)
	if err != nil || has != nil && repopolicy.Same(has, text) {
		return changed, err
	}
	changed.Changed = true
	changed.Changes = append(changed.Changes, settingChange{"policy", oneLineOf(has), oneLineOf(text)})
	if f.dryRun {
		return changed, nil
	}
	return changed, r.PutRepositoryPolicy(ctx, repository, string(text), f.force)
}

// oneLineOf is JSON without what is there for its layout.
func oneLineOf(document []byte) string {
	var out bytes.Buffer
	if json.Compact(&out, document) != nil {
		return string(document)
	}
	return out.String()
}

// repoPolicyRmFlags are the flags of `ecrkit repo policy rm`.
type repoPolicyRmFlags struct{ yes, dryRun bool }

func newRepoPolicyRmCommand(app *App) *cobra.Command {
	var f repoPolicyRmFlags
	cmd := &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove the policy of a repository",
		Long:  repoPolicyRmHelp,
		Args:  arguments(0, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.removeRepositoryPolicy(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would change, and change nothing")
	return cmd
}

func (app *App) removeRepositoryPolicy(ctx context.Context, name string, f repoPolicyRmFlags) error {
	switch {
	case f.yes && f.dryRun:
		return usagef("--yes and --dry-run exclude each other")
	case !f.yes && !f.dryRun && !app.Interactive:
		return usagef("repo policy rm asks before it removes, and stdin is not a terminal; pass --yes, or --dry-run to see what would be deleted")
	}
	r, reference, err := app.openGoverned(ctx, name)
	if err != nil {
		return err
	}
	has, err := currentPolicy(ctx, r, reference.Repository)
	if err != nil {
		return err
	}
	changed := changedRepository{Repository: reference.Place(), Changes: []settingChange{}}
	if has != nil {
		changed.Changed = true
		changed.Changes = append(changed.Changes, settingChange{Setting: "policy", From: oneLineOf(has)})
	}
	if has != nil && !f.yes && !f.dryRun {
		fmt.Fprintln(app.Stderr, indented(has))
		yes, err := app.ask(ctx, fmt.Sprintf("Remove this policy from %s?", reference.Place()))
		if err == nil && !yes {
			err = errors.New("nothing was changed")
		}
		if err != nil {
			return err
		}
	}
	if has != nil && !f.dryRun {
		if _, err := r.DeleteRepositoryPolicy(ctx, reference.Repository); err != nil {
			return err
		}
	}
	result := repositoryChanges{DryRun: f.dryRun, Repositories: []changedRepository{changed}}
	return app.PrintResult(result, result.text())
}
