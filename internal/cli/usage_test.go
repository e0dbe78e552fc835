package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// eachCommand calls f with all commands.
func eachCommand(t *testing.T, f func(app *App, cmd *cobra.Command)) {
	t.Helper()
	app := &App{Stdout: io.Discard, Stderr: io.Discard, Env: func(string) (string, bool) { return "", false }, Now: time.Now}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		f(app, cmd)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(app, ""))
}

// TestHelpFits keeps the help of every command of ours within 100 columns, and has
// examples where there is more to say than the flags.
func TestHelpFits(t *testing.T) {
	n := 0
	eachCommand(t, func(_ *App, cmd *cobra.Command) {
		if strings.HasPrefix(cmd.CommandPath(), "ecrkit completion") {
			return
		}
		n++
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.InitDefaultHelpFlag()
		if err := cmd.Help(); err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(out.String()) {
			if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > helpColumns {
				t.Errorf("%s: %s", cmd.CommandPath(), line)
			}
		}
		if cmd.Runnable() && len(cmd.Long) > 200 && cmd.Example == "" && cmd.Name() != "help" {
			t.Errorf("%s has no examples", cmd.CommandPath())
		}
	})
	if n < 60 {
		t.Errorf("only %d commands", n)
	}
}

// TestFlagGroups has each flag of push in the help once, under its heading.
func TestFlagGroups(t *testing.T) {
	var out bytes.Buffer
	eachCommand(t, func(_ *App, cmd *cobra.Command) {
		if cmd.CommandPath() == "ecrkit push" {
			cmd.SetOut(&out)
			if err := cmd.Usage(); err != nil {
				t.Error(err)
			}
		}
	})
	help := out.String()
	last := 0
	for _, part := range []string{
		"Usage:", "Examples:", "\nFlags:", "--dry-run ", groupTransfer + ":", "--platform ", groupTrust + ":", "--sign KEY",
		groupScan + ":", "--scan-gate POLICY", groupRepository + ":", "--kms-key ", "Global flags:", "--output ", "Documentation: ",
	} {
		at := strings.Index(help[last:], part)
		if at < 0 {
			t.Fatalf("%q is missing, or not in its place:\n%s", part, help)
		}
		last += at
	}
}

// TestUnknownCommands leads from mistakes to what was meant.
func TestUnknownCommands(t *testing.T) {
	for line, want := range map[string]string{
		"psuh":                    `there is no command "psuh"; did you mean push?`,
		"login":                   `there is no command "login"; use ` + "`ecrkit auth login HOST`",
		"images":                  `there is no command "images"; use ` + "`ecrkit ls HOST/REPOSITORY`",
		"repo creat":              `there is no command "repo creat"; did you mean repo create?`,
		"lifecycle putt":          `there is no command "lifecycle putt"; did you mean lifecycle put?`,
		"sync":                    `there is no command "sync"; use ` + "`ecrkit mirror apply CONFIG`",
		"mirror aply":             `there is no command "mirror aply"; did you mean mirror apply?`,
		"mirror sync":             `there is no command "mirror sync"; use ` + "`ecrkit mirror apply CONFIG`",
		"mirror login":            `there is no command "mirror login"; see ecrkit mirror --help`,
		"local helth":             `there is no command "local helth"; did you mean local health?`,
		"repo frobnicate":         `there is no command "repo frobnicate"; see ecrkit repo --help`,
		"push --platfrom x":       `unknown flag: --platfrom; did you mean --platform?`,
		"push --frobnicate":       `unknown flag: --frobnicate; see ecrkit push --help`,
		"help exit-code":          `there is no command "exit-code"; did you mean exit-codes?`,
		"help repo creat":         `there is no command "repo creat"; did you mean repo create?`,
		"help frobnicate":         `there is no command "frobnicate"; see ecrkit --help`,
		"repo scanning frobnicat": `there is no command "repo scanning frobnicat"; see ecrkit repo scanning --help`,
	} {
		var stderr bytes.Buffer
		code := Main(t.Context(), strings.Fields(line), nil, io.Discard, &stderr, func(string) (string, bool) { return "", false })
		if code != exitUsage || !strings.HasPrefix(stderr.String(), "ecrkit: "+want) {
			t.Errorf("%s: exit code %d, %s", line, code, stderr.String())
		}
	}
	for _, topic := range []string{"exit-codes", "environment"} {
		var stdout bytes.Buffer
		if code := Main(t.Context(), []string{"help", topic}, nil, &stdout, io.Discard, func(string) (string, bool) { return "", false }); code != 0 || stdout.Len() < 500 {
			t.Errorf("%s: exit code %d, %s", topic, code, stdout.String())
		}
	}
	// The pointers lead to commands that exist.
	eachCommand(t, func(_ *App, cmd *cobra.Command) {
		if cmd != cmd.Root() {
			return
		}
		for word, pointer := range pointers {
			for i, part := range strings.Split(pointer, "`") {
				rest, ok := strings.CutPrefix(part, "ecrkit ")
				if i%2 == 0 || !ok {
					continue
				}
				checkDocumented(t, "pointer of "+word, strings.Fields(rest))
			}
		}
	})
}
