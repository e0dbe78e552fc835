package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
)

const registryHelp = `Settings of a whole registry of Amazon ECR: an account in a region.

  ecrkit registry replication set replication.yaml
  ecrkit registry backfill start eu-west-1 --wait
  ecrkit registry pull-through set docker-hub registry-1.docker.io --credential ARN
  ecrkit registry policy set policy.json

HOST is the registry; without it that is $ECRKIT_REGISTRY. The identity in use must be of the
registry's own account.`

func newRegistryCommand(app *App) *cobra.Command {
	return newGroup("registry", "Manage the settings of a registry", registryHelp,
		newRegistryReplicationCommand(app), newRegistryBackfillCommand(app), newRegistryPullThroughCommand(app), newRegistryPolicyCommand(app))
}

// removalFlags are the flags of commands that remove a setting.
type removalFlags struct{ yes, dryRun bool }

func (f *removalFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would change, and change nothing")
}

// check refuses flags that contradict, and a removal without an answer.
func (f removalFlags) check(app *App, command string) error {
	switch {
	case f.yes && f.dryRun:
		return usagef("--yes and --dry-run exclude each other")
	case !f.yes && !f.dryRun && !app.Interactive:
		return usagef("%s asks before it removes, and stdin is not a terminal; pass --yes, or --dry-run to see what would be removed", command)
	}
	return nil
}

// confirm asks, unless --yes or --dry-run was passed. No is an error.
func (f removalFlags) confirm(ctx context.Context, app *App, format string, args ...any) error {
	if f.yes || f.dryRun {
		return nil
	}
	yes, err := app.ask(ctx, fmt.Sprintf(format, args...))
	if err == nil && !yes {
		err = errors.New("nothing was changed")
	}
	return err
}

// printRegistryChanges prints what became of a registry.
func (app *App) printRegistryChanges(r *governance.Registry, dryRun bool, changes []settingChange) error {
	result := changesOf(r, dryRun, changes)
	if dryRun {
		app.dryRunDone()
	}
	return app.PrintResult(result, result.text())
}
