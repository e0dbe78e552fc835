package cli

import (
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer/index"
)

const indexAddHelp = `Put images into an index, each in the place of the one for the same platform.

  ecrkit index add HOST/app:1.2 HOST/app:1.2-s390x
  ecrkit index add HOST/app:1.2 :1.2-arm64-fixed oci:build:riscv
  ecrkit index add HOST/app:1.2 oci:build --to 1.3

SRC is as with ecrkit index create. An image for a platform that the index has
replaces it, with its attestations; others come last. The tag of REF moves to the
new index, unless --to names another tag or reference.`

func newIndexAddCommand(app *App) *cobra.Command {
	var edit indexEditFlags
	cmd := &cobra.Command{
		Use:   "add REF SRC...",
		Short: "Add images to an index",
		Long:  indexAddHelp,
		Args:  atLeast("REF", "SRC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			at, _, err := app.indexToEdit(args[0], edit.to)
			if err != nil {
				return err
			}
			additions, closeAll, err := app.additions(ctx, at, args[1:], &edit.trust)
			if err != nil {
				return err
			}
			defer closeAll()
			return app.editIndex(ctx, args[0], edit, func(idx *index.Index) error {
				return idx.Add(ctx, additions)
			})
		},
	}
	edit.register(cmd)
	return cmd
}
