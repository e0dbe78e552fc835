package cli

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// TestRootOfOneCommand compares each command that is built alone with the same one among all.
func TestRootOfOneCommand(t *testing.T) {
	t.Parallel()
	build := func(only string) *cobra.Command {
		app := &App{Stdout: io.Discard, Stderr: io.Discard, Env: func(string) (string, bool) { return "", false }, Now: time.Now}
		return newRootCommand(app, only)
	}
	whole := build("")
	n := 0
	for _, group := range commandGroups("") {
		for _, command := range group.commands {
			n++
			alone := build(command.name)
			want, _, err := whole.Find([]string{command.name})
			if err != nil || want.Name() != command.name {
				t.Fatalf("%s is the command %s (%v)", command.name, want.Name(), err)
			}
			got, _, err := alone.Find([]string{command.name})
			if err != nil || helpOfAll(got) != helpOfAll(want) {
				t.Errorf("%s alone is another command than among all (%v)", command.name, err)
			}
			if command.name != "man" && len(alone.Commands()) >= len(whole.Commands())-20 {
				t.Errorf("%s: %d commands are built with it", command.name, len(alone.Commands()))
			}
		}
	}
	if got := len(build("no-command").Commands()); n < 25 || got != len(whole.Commands()) {
		t.Errorf("%d commands, %d for an unknown word, of %d", n, got, len(whole.Commands()))
	}
}

// helpOfAll is the help of cmd and of all commands below it.
func helpOfAll(cmd *cobra.Command) string {
	text := cmd.CommandPath() + "\n" + cmd.GroupID + "\n" + cmd.Long + "\n" + cmd.UsageString()
	var below strings.Builder
	for _, sub := range cmd.Commands() {
		below.WriteString(helpOfAll(sub))
	}
	return text + below.String()
}
