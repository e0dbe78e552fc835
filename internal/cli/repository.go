package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer"
)

// openRepository opens an endpoint to edit what is in it.
func (app *App) openRepository(ctx context.Context, r transfer.Reference) (transfer.Endpoint, error) {
	if !r.IsRepository() && r.Kind != transfer.KindLayout {
		return nil, usagef("%s cannot be edited; name a repository, HOST/REPOSITORY:TAG, or an OCI layout, oci:DIRECTORY:TAG", r)
	}
	target, err := app.openTarget(ctx, r)
	if err != nil {
		return nil, err
	}
	both, ok := target.(transfer.Endpoint)
	if !ok {
		return nil, usagef("%s: this version cannot edit it", r)
	}
	return both, nil
}

// atLeast checks that there are n arguments or more.
func atLeast(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return usagef("usage: %s; see %s --help", cmd.UseLine(), cmd.CommandPath())
		}
		return nil
	}
}
