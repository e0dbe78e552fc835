package cli

import "github.com/spf13/cobra"

// arguments checks their number: as many as names, the last optional of which
// may be left out.
func arguments(optional int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > len(names) || len(args) < len(names)-optional {
			return usagef("usage: %s; see %s --help", cmd.UseLine(), cmd.CommandPath())
		}
		return nil
	}
}

// atLeast checks that there are as many arguments as names, or more.
func atLeast(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usagef("usage: %s; %s is missing; see %s --help", cmd.UseLine(), names[len(args)], cmd.CommandPath())
		}
		return nil
	}
}
