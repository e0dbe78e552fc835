package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	// helpColumns is the width of help where no terminal is narrower.
	helpColumns = 100
	// flagGroup is the annotation with the heading of a flag.
	flagGroup = "ecrkit-group"
	// docsURL is where the pages are that help refers to.
	docsURL = "https://github.com/ecrkit/ecrkit/tree/main/docs"
)

// The headings of the flags of push, pull and copy, in the order of the help.
const (
	groupTransfer   = "Transfer flags"
	groupTrust      = "Signing and verification flags"
	groupScan       = "Scanning flags"
	groupRepository = "New repository flags"
	groupPipeline   = "Pipeline flags"
)

// inGroup puts the flags that add adds to cmd under a heading.
func inGroup(cmd *cobra.Command, heading string, add func()) {
	before := map[string]bool{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) { before[f.Name] = true })
	add()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !before[f.Name] {
			if f.Annotations == nil {
				f.Annotations = map[string][]string{}
			}
			f.Annotations[flagGroup] = []string{heading}
		}
	})
}

// splitExamples moves the examples of the help of cmd, and of all commands below, to where
// cobra and man pages have them: the first indented block, after the first sentence.
func splitExamples(cmd *cobra.Command) {
	if parts := strings.SplitN(cmd.Long, "\n\n", 3); len(parts) >= 2 && strings.HasPrefix(parts[1], "  ") && cmd.Runnable() {
		cmd.Example = parts[1]
		cmd.Long = strings.Join(slices.Delete(parts, 1, 2), "\n\n")
	}
	for _, sub := range cmd.Commands() {
		splitExamples(sub)
	}
}

// printUsage writes what follows the description in the help of cmd.
func (app *App) printUsage(cmd *cobra.Command) error {
	var out strings.Builder
	section := func(heading, text string) {
		if text = strings.TrimRight(text, "\n "); text != "" {
			fmt.Fprintf(&out, "\n%s:\n%s\n", heading, text)
		}
	}
	switch {
	case cmd.HasAvailableSubCommands():
		section("Usage", "  "+cmd.CommandPath()+" COMMAND [flags]")
	case cmd.Runnable():
		section("Usage", "  "+cmd.UseLine())
	}
	if len(cmd.Aliases) > 0 {
		section("Aliases", "  "+cmd.NameAndAliases())
	}
	section("Examples", cmd.Example)
	for _, g := range cmd.Groups() {
		section(strings.TrimSuffix(g.Title, ":"), commandList(cmd, func(sub *cobra.Command) bool { return sub.GroupID == g.ID && sub.IsAvailableCommand() }))
	}
	heading := "Commands"
	if len(cmd.Groups()) > 0 {
		heading = "Other commands"
	}
	section(heading, commandList(cmd, func(sub *cobra.Command) bool { return sub.GroupID == "" && sub.IsAvailableCommand() }))
	section("Help topics", commandList(cmd, (*cobra.Command).IsAdditionalHelpTopicCommand))
	columns := min(helpColumns, cmp.Or(app.columns(), helpColumns))
	for _, g := range flagGroups(cmd) {
		section(g.heading, g.flags.FlagUsagesWrapped(columns))
	}
	if cmd.HasAvailableInheritedFlags() {
		section("Global flags", cmd.InheritedFlags().FlagUsagesWrapped(columns))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&out, "\nUse \"%s COMMAND --help\" for more about a command.\n", cmd.CommandPath())
	}
	fmt.Fprintf(&out, "\nDocumentation: %s\n", docsURL)
	_, err := io.WriteString(cmd.OutOrStderr(), strings.TrimPrefix(out.String(), "\n"))
	return err
}

// commandList lists the commands below cmd that show accepts.
func commandList(cmd *cobra.Command, show func(*cobra.Command) bool) string {
	var out strings.Builder
	for _, sub := range cmd.Commands() {
		if show(sub) {
			fmt.Fprintf(&out, "  %-*s %s\n", cmd.Commands()[0].NamePadding(), sub.Name(), sub.Short)
		}
	}
	return out.String()
}

// headedFlags are the flags under one heading.
type headedFlags struct {
	heading string
	flags   *pflag.FlagSet
}

// flagGroups returns the flags of cmd by heading; those without one come first.
func flagGroups(cmd *cobra.Command) []headedFlags {
	groups := []headedFlags{{heading: "Flags"}, {heading: groupTransfer}, {heading: groupTrust}, {heading: groupScan}, {heading: groupRepository}, {heading: groupPipeline}}
	for i := range groups {
		groups[i].flags = pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
		groups[i].flags.SortFlags = i == 0
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		heading := groups[0].heading
		if of := f.Annotations[flagGroup]; len(of) == 1 {
			heading = of[0]
		}
		i := slices.IndexFunc(groups, func(g headedFlags) bool { return g.heading == heading })
		groups[i].flags.AddFlag(f)
	})
	return groups
}
