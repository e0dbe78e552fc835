package cli

import (
	"io"
	"strings"
	"testing"
	"time"
)

// TestPointers looks up the commands and flags to which mistakes lead.
func TestPointers(t *testing.T) {
	t.Parallel()
	texts := map[string]string{}
	for word, text := range pointers {
		texts["ecrkit "+word] = text
	}
	for _, p := range flagPointers {
		texts["--"+p.flags] = p.text
	}
	found := 0
	for from, text := range texts {
		for _, m := range documented.FindAllStringSubmatch(text, -1) {
			checkDocumented(t, from, strings.Fields(m[1]))
			found++
		}
	}
	if found < 30 {
		t.Errorf("only %d commands were found", found)
	}

	app := &App{Stdout: io.Discard, Stderr: io.Discard, Env: func(string) (string, bool) { return "", false }, Now: time.Now}
	root := newRootCommand(app, "")
	for word := range pointers {
		if cmd, rest, err := root.Find(strings.Fields(word)); err == nil && len(rest) == 0 {
			t.Errorf("%s is a command: %s", word, cmd.CommandPath())
		}
	}
	for _, p := range flagPointers {
		used := false
		for _, name := range []string{"push", "copy", "rm", "repo create", "local"} {
			cmd, _, err := root.Find(strings.Fields(name))
			if err != nil {
				t.Fatal(err)
			}
			for flag := range strings.FieldsSeq(p.flags) {
				used = used || habit(cmd, flag) == p.text
			}
		}
		if !used {
			t.Errorf("no command leads from --%s to %q", p.flags, p.text)
		}
	}
}
