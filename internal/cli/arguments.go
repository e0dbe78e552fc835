package cli

import "github.com/spf13/cobra"

// arguments checks their number: as many as names, the last optional of which
// may be left out.
func arguments(optional int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names)-optional:
			return usagef("usage: %s; %s is missing; see %s --help", cmd.UseLine(), names[len(args)], cmd.CommandPath())
		case len(args) > len(names) && len(names) == 0 && cmd.HasSubCommands():
			return unknownCommand(cmd, args[0])
		case len(args) > len(names):
			return usagef("usage: %s; %q is one argument too many; see %s --help", cmd.UseLine(), args[len(names)], cmd.CommandPath())
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
