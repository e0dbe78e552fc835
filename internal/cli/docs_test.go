package cli

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// documented finds each call of ecrkit in a page: to the end of the command.
var documented = regexp.MustCompile(`(?m)(?:^|[\s"(|&` + "`" + `])ecrkit ([a-z][^\n|&;<>()` + "`" + `#]*)`)

// TestDocumentedCommands looks up each command that the documentation shows, with its flags.
func TestDocumentedCommands(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	fence, span := regexp.MustCompile("(?ms)^ *```.*?^ *```$"), regexp.MustCompile("`[^`\n]+`")
	seen := map[string]bool{}
	for _, page := range append(pages, "../../README.md", "../../CONTRIBUTING.md", "../../SECURITY.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		code := append(fence.FindAllString(string(text), -1), span.FindAllString(fence.ReplaceAllString(string(text), ""), -1)...)
		for _, block := range code {
			for _, m := range documented.FindAllStringSubmatch(strings.ReplaceAll(block, "\\\n", " "), -1) {
				seen[checkDocumented(t, page, strings.Fields(m[1]))] = true
			}
		}
	}
	if len(seen) < 40 {
		t.Errorf("only %d commands were found", len(seen))
	}
}

// checkDocumented checks one command with its flags, and returns its name.
func checkDocumented(t *testing.T, page string, words []string) string {
	t.Helper()
	app := &App{Stdout: io.Discard, Stderr: io.Discard, Env: func(string) (string, bool) { return "", false }, Now: time.Now}
	cmd, rest, err := newRootCommand(app, "").Find(words)
	if err != nil {
		t.Errorf("%s: ecrkit %s: %v", page, strings.Join(words, " "), err)
		return ""
	}
	if len(rest) > 0 && cmd.HasSubCommands() && cmd.Run == nil && !strings.HasPrefix(rest[0], "-") {
		t.Errorf("%s: %s has no command %s", page, cmd.CommandPath(), rest[0])
	}
	cmd.InitDefaultHelpFlag()
	for _, word := range rest {
		name, _, _ := strings.Cut(strings.Trim(word, `"'`), "=")
		switch {
		case strings.HasPrefix(name, "--"):
			if cmd.Flag(name[2:]) == nil {
				t.Errorf("%s: %s has no flag %s", page, cmd.CommandPath(), name)
			}
		case strings.HasPrefix(name, "-") && len(name) == 2:
			if cmd.Flags().ShorthandLookup(name[1:]) == nil && cmd.InheritedFlags().ShorthandLookup(name[1:]) == nil {
				t.Errorf("%s: %s has no flag %s", page, cmd.CommandPath(), name)
			}
		}
	}
	return cmd.CommandPath()
}
