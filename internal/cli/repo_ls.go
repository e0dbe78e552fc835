package cli

import (
	"cmp"
	"context"
	"math"

	"github.com/spf13/cobra"
)

const repoLsHelp = `List the repositories of a registry of Amazon ECR.

  ecrkit repo ls
  ecrkit repo ls 'team/*'
  ecrkit repo ls 123456789012.dkr.ecr.us-east-1.amazonaws.com/'*web*' --output json

PATTERN is about whole names; * in it is any number of characters, / too. Without
HOST before it the registry is $ECRKIT_REGISTRY.

Prints a table by name, or with --output json what ecrkit ls REGISTRY prints.`

func newRepoLsCommand(app *App) *cobra.Command {
	var f lsFlags
	cmd := &cobra.Command{
		Use:     "ls [PATTERN]",
		Aliases: []string{"list"},
		Short:   "List repositories",
		Long:    repoLsHelp,
		Args:    arguments(1, "PATTERN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.listMatching(cmd.Context(), optional(args, 0), f)
		},
	}
	numberVar(cmd.Flags(), &f.limit, "limit", 0, math.MaxInt32, "show at most `n`")
	return cmd
}

func (app *App) listMatching(ctx context.Context, text string, f lsFlags) error {
	r, pattern, err := app.parsePattern(text)
	if err != nil {
		return err
	}
	if r.Public {
		return usagef("%s: the repositories of ECR Public cannot be listed; name one of them", r.Host)
	}
	return app.listRepositories(ctx, r, cmp.Or(pattern, "*"), f)
}
