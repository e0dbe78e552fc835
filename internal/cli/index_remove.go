package cli

import (
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer/index"
)

const indexRemoveHelp = `Take images out of an index.

  ecrkit index remove HOST/app:1.2 linux/s390x
  ecrkit index remove HOST/app:1.2 linux/arm/* sha256:0123... --to 1.2-small

The attestations of an image go with it. The images themselves stay in the
repository. The tag of REF moves to the new index, unless --to names another tag
or reference.`

func newIndexRemoveCommand(app *App) *cobra.Command {
	var edit indexEditFlags
	cmd := &cobra.Command{
		Use:   "remove REF PLATFORM|DIGEST...",
		Short: "Remove images from an index",
		Long:  indexRemoveHelp,
		Args:  atLeast("REF", "PLATFORM or DIGEST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var names []index.EntryName
			for _, arg := range args[1:] {
				name, err := index.ParseEntryName(arg)
				if err != nil {
					return usageError{err}
				}
				names = append(names, name)
			}
			return app.editIndex(cmd.Context(), args[0], edit, func(idx *index.Index) error {
				return idx.Remove(cmd.Context(), names)
			})
		},
	}
	edit.register(cmd)
	return cmd
}
