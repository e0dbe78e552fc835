package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// At a terminal the differences are shown, and only yes applies them.
func TestRepoApplyAsks(t *testing.T) {
	server, err := localecr.New(localecr.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server.Start(t)
	t.Setenv("HOME", t.TempDir())
	for _, v := range server.Env() {
		key, value, _ := strings.Cut(v, "=")
		t.Setenv(key, value)
	}
	run := func(answer string, args ...string) (stdout, stderr string, err error) {
		var out, messages bytes.Buffer
		app := &App{
			Stdin: strings.NewReader(answer), Stdout: &out, Stderr: &lockedWriter{w: &messages}, Interactive: true,
			Env: os.LookupEnv, Now: time.Now, Output: outputText,
		}
		root := newRootCommand(app, "")
		root.SetArgs(args)
		err = root.ExecuteContext(context.Background())
		return out.String(), messages.String(), err
	}
	file := filepath.Join(t.TempDir(), "r.yaml")
	if err := os.WriteFile(file, []byte("version: 1\nrepositories:\n  - name: team/app\n  - name: team/db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, messages, err := run("n\n", "repo", "apply", file)
	if err == nil || err.Error() != "nothing was changed" || out != "" ||
		!strings.Contains(messages, "/team/app repository: MUTABLE, AES256\n") || !strings.Contains(messages, "2 to create\n") || !strings.Contains(messages, "Apply? [y/N]") {
		t.Errorf("%v, %q, %q", err, out, messages)
	}
	if out, _, err := run("", "repo", "ls"); err != nil || strings.Contains(out, "team/") {
		t.Errorf("%v, %q", err, out)
	}
	if _, _, err := run("", "repo", "apply", "-"); err == nil || !strings.Contains(err.Error(), "stdin is the file; pass --yes") {
		t.Error(err)
	}
	if out, messages, err := run("y\n", "repo", "apply", file); err != nil || out != "" || !strings.Contains(messages, "2 of 2 changes done") {
		t.Errorf("%v, %q, %q", err, out, messages)
	}
	if out, messages, err := run("", "repo", "apply", file, "--yes"); err != nil || out != "no changes\n" || strings.Contains(messages, "Apply?") {
		t.Errorf("%v, %q, %q", err, out, messages)
	}
}

func TestDocumentDiff(t *testing.T) {
	got := documentDiff(`{"b": 1, "a": [1.50, "<x>"]}`, `{"a":[1.50,"<x>"],"b":2}`)
	want := `         1.50,
         "<x>"
       ],
    -  "b": 1
    +  "b": 2
     }`
	if got != want {
		t.Errorf("%s\n%q\n%q", got, got, want)
	}
	if got := documentDiff(`{"a":1}`, ""); got != "    -{\n    -  \"a\": 1\n    -}" {
		t.Errorf("%q", got)
	}
}
