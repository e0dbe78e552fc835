package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// fixedValue is a flag that has one of a few values.
type fixedValue interface {
	pflag.Value
	values() []string
}

// addFixed adds a flag whose values the shell completes.
func addFixed(cmd *cobra.Command, value fixedValue, name, usage string) {
	cmd.Flags().Var(value, name, usage)
	completeValues(cmd, name, value.values())
}

// completeValues lets the shell complete the values of a flag.
func completeValues(cmd *cobra.Command, name string, values []string) {
	if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the command has no such flag
	}
}
