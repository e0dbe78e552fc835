package cli

import (
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/mirror"
)

const mirrorSchemaHelp = `Print the JSON schema of the configuration of ecrkit mirror, for editors.

  ecrkit mirror schema > mirror.schema.json

An editor that knows YAML schemas completes and checks the keys of a file that begins with

  # yaml-language-server: $schema=mirror.schema.json

Prints the schema as JSON.`

func newMirrorSchemaCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of the configuration",
		Long:  mirrorSchemaHelp,
		Args:  arguments(0),
		RunE: func(*cobra.Command, []string) error {
			_, err := app.Stdout.Write(mirror.Schema())
			return err
		},
	}
}
