package cli

import (
	"context"

	"github.com/spf13/cobra"
)

const signingGetHelp = `Show the signing rules of a registry.

  ecrkit signing get 123456789012.dkr.ecr.us-east-1.amazonaws.com
  ecrkit signing get --output json | jq .signingConfiguration >signing.json

Prints each rule: the signing profile, and in which repositories images are signed with
it. If managed signing is not configured, that is not a failure (exit code 0): a message
on stderr says so, and stdout stays empty.

With --output json one object: registry (ACCOUNT/REGION), host, signingConfiguration,
which is null if it is not configured. It has rules, each with signingProfileArn and,
unless they are all, repositoryFilters (filter, filterType): the form that ecrkit
signing set and the aws CLI take. Needs ecr:GetSigningConfiguration.`

func newSigningGetCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "get [HOST]",
		Short: "Show the signing rules of a registry",
		Long:  signingGetHelp,
		Args:  arguments(1, "HOST"),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.getSigning(cmd.Context(), optional(args, 0)) },
	}
}

func (app *App) getSigning(ctx context.Context, host string) error {
	r, err := app.openGovernance(ctx, host)
	if err != nil {
		return err
	}
	c, err := currentSigning(ctx, r)
	if err != nil {
		return err
	}
	text := ""
	switch {
	case c == nil:
		app.Messagef("managed signing is not configured in %s; `ecrkit signing add-rule` turns it on", r)
	case len(c.Rules) == 0:
		app.Messagef("the signing configuration of %s has no rules: nothing is signed", r)
	default:
		if text, err = app.signingText(*c); err != nil {
			return err
		}
	}
	return app.PrintResult(signingOf(r, c), text)
}
