package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
)

const signingSetHelp = `Replace all signing rules of a registry by those of a file.

  ecrkit signing set signing.yaml
  ecrkit signing set signing.json 123456789012.dkr.ecr.us-east-1.amazonaws.com --dry-run
  ecrkit signing get -o json | jq .signingConfiguration | ecrkit signing set - OTHER-HOST

FILE is YAML or JSON, - is stdin:

  rules:
    - signingProfileArn: arn:aws:signer:us-east-1:123456789012:/signing-profiles/release
      repositoryFilters:
        - {filter: prod/*, filterType: WILDCARD_MATCH}
        - {filter: "*/prod"}

At most 10 rules with 100 filters each; without repositoryFilters the images of all
repositories are signed. A profile must be of the registry's region, and may be of
another account. What Amazon ECR would refuse is refused before any call (exit code
2), and so is a key that is not known.

Rules hold for images that are pushed from then on. What is added and removed goes
to stderr; --dry-run shows it and changes nothing. Prints the rules as ecrkit signing
get does, or with --output json also dryRun and changed. Needs
ecr:PutSigningConfiguration and ecr:GetSigningConfiguration.`

func newSigningSetCommand(app *App) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "set FILE [HOST]",
		Short: "Replace all signing rules of a registry",
		Long:  signingSetHelp,
		Args:  arguments(1, "FILE", "HOST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.setSigning(cmd.Context(), args[0], optional(args, 1), dryRun)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would change, and change nothing")
	return cmd
}

func (app *App) setSigning(ctx context.Context, path, host string, dryRun bool) error {
	wanted, err := app.readSigning(path)
	if err != nil {
		return err
	}
	r, err := app.parseRegistry(host)
	if err != nil {
		return err
	}
	if err := wanted.Validate(r.Region); err != nil {
		return usagef("%s: %w", path, err)
	}
	return app.changeSigning(ctx, host, dryRun, func(governance.SigningConfiguration) (governance.SigningConfiguration, error) {
		return wanted, nil
	})
}

func (app *App) readSigning(path string) (governance.SigningConfiguration, error) {
	in := app.stdin()
	if path != "-" {
		f, err := app.openText(path)
		if err != nil {
			return governance.SigningConfiguration{}, usageError{err}
		}
		defer f.Close() // opened for reading
		in = f
	}
	c, err := governance.ParseSigningConfiguration(in)
	if err != nil {
		return c, app.wrongFile(path, err)
	}
	return c, nil
}
