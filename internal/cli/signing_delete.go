package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

const signingDeleteHelp = `Delete the signing configuration of a registry: images are no longer signed when
they are pushed. Signatures that exist stay.

  ecrkit signing delete
  ecrkit signing delete HOST --yes

On a terminal it shows the rules and asks; --yes does not ask, and is needed where there
is no terminal. --dry-run shows them and deletes nothing. Exit code 0 too if there is no
configuration.

Prints the rules that were deleted, or with --output json one object: dryRun, changed
(false if there was none), registry, host, signingConfiguration as it was. Needs
ecr:GetSigningConfiguration and ecr:DeleteSigningConfiguration.`

// signingDeleteFlags are the flags of `ecrkit signing delete`.
type signingDeleteFlags struct{ yes, dryRun bool }

func newSigningDeleteCommand(app *App) *cobra.Command {
	var f signingDeleteFlags
	cmd := &cobra.Command{
		Use:   "delete [HOST]",
		Short: "Delete all signing rules of a registry",
		Long:  signingDeleteHelp,
		Args:  arguments(1, "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.deleteSigning(cmd.Context(), optional(args, 0), f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be deleted, and delete nothing")
	return cmd
}

func (app *App) deleteSigning(ctx context.Context, host string, f signingDeleteFlags) error {
	if f.yes && f.dryRun {
		return usagef("--yes and --dry-run exclude each other")
	}
	if !f.yes && !f.dryRun && !app.Interactive {
		return usagef("signing delete asks before it deletes, and stdin is not a terminal; pass --yes, or --dry-run to see what would be deleted")
	}
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	c, err := currentSigning(ctx, r)
	if err != nil {
		return err
	}
	if c == nil {
		app.Messagef("managed signing is not configured in %s", r)
		return app.PrintResult(changedSigning{DryRun: f.dryRun, registrySigning: signingOf(r, nil)}, "")
	}
	text, err := app.signingText(*c)
	if err != nil {
		return err
	}
	if !f.yes && !f.dryRun {
		fmt.Fprint(app.Stderr, text)
		yes, err := app.ask(ctx, fmt.Sprintf("Delete the signing configuration of %s?", r))
		if err == nil && !yes {
			err = errors.New("nothing was deleted")
		}
		if err != nil {
			return err
		}
	}
	if !f.dryRun {
		deleted, err := r.DeleteSigningConfiguration(ctx)
		if err != nil {
			return err
		}
		if deleted.Rules != nil { // nil if the answer was lost
			if text, err = app.signingText(deleted); err != nil {
				return err
			}
			c = &deleted
		}
	}
	return app.PrintResult(changedSigning{f.dryRun, true, signingOf(r, c)}, text)
}
