package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/governance"
)

const repoExportHelp = `Write what exists as a file for ecrkit repo apply.

  ecrkit repo export > repositories.yaml
  ecrkit repo export 'team/*' > team.yaml
  ecrkit repo export HOST --output json > repositories.json

Without PATTERN it writes all repositories and the settings of the registry: scanning, creation
templates, registry policy, pull-through cache rules, replication, account settings. With PATTERN
it writes only the repositories whose whole names match; * in it is any number of characters, /
too. Without HOST before it the registry is $ECRKIT_REGISTRY.

The file says of a repository: tag mutability, encryption, resource tags, repository policy and
lifecycle policy. What a repository does not have is left out: ecrkit repo apply then leaves it
alone. Applied at once, the file changes nothing. For another registry, replace the line
"registry:", the KMS keys and the ARNs of secrets and roles.

Prints YAML, or with --output json the same file in JSON. Needs the permissions of ecrkit repo
describe, and for the settings of the registry ecr:GetRegistryScanningConfiguration,
ecr:DescribeRepositoryCreationTemplates, ecr:GetRegistryPolicy,
ecr:DescribePullThroughCacheRules, ecr:DescribeRegistry and ecr:GetAccountSetting. Only the
registry's own account can read them.`

func newRepoExportCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "export [PATTERN]",
		Short: "Write what exists as a file for repo apply",
		Long:  repoExportHelp,
		Args:  arguments(1, "PATTERN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.exportRepositories(cmd.Context(), optional(args, 0))
		},
	}
}

func (app *App) exportRepositories(ctx context.Context, text string) error {
	registry, pattern, err := app.parsePattern(text)
	if err != nil {
		return err
	}
	r, err := app.governanceOf(ctx, registry)
	if err != nil {
		return err
	}
	e, err := r.Export(ctx, cmp.Or(pattern, "*"), pattern == "")
	switch {
	case errors.Is(err, governance.ErrOtherAccount):
		return fmt.Errorf("%w; %s/'*' writes the repositories alone", err, r.Host)
	case err != nil:
		return err
	case e.Empty():
		return fmt.Errorf("no repository of %s matches %s", r, pattern)
	}
	for _, left := range e.Left {
		app.Messagef("left out: %s", left)
	}
	yaml, err := e.YAML()
	if err != nil {
		return err
	}
	object, err := e.JSON()
	if err != nil {
		return err
	}
	if err := app.PrintResult(json.RawMessage(object), string(yaml)); err != nil {
		return err
	}
	app.Messagef("%s: %s written; ecrkit repo apply FILE --dry-run compares them with the registry", r, english.Plural(e.Repositories(), "repository", "repositories"))
	return nil
}
