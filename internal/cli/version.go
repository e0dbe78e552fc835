package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/version"
)

func newVersionCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  "Print the version.\n\n  ecrkit version\n  ecrkit version --output json\n\nWith --output json one object: version.",
		Args:  arguments(0),
		RunE: func(*cobra.Command, []string) error {
			v := version.String()
			return app.PrintResult(map[string]string{"version": v}, fmt.Sprintf("ecrkit %s\n", v))
		},
	}
}
