package cli

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// At a terminal what goes is shown, and only yes deletes it.
func TestRepoRmAsks(t *testing.T) {
	server, err := localecr.New(localecr.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server.Start(t)
	set := map[string]string{"HOME": t.TempDir()}
	for _, v := range server.Env() {
		key, value, _ := strings.Cut(v, "=")
		set[key] = value
	}
	for key, value := range set {
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
	if _, _, err := run("", "repo", "create", "team/app", "team/db"); err != nil {
		t.Fatal(err)
	}
	out, messages, err := run("n\n", "repo", "rm", "team/app", "team/db")
	if err == nil || err.Error() != "nothing was deleted" || out != "" || !strings.Contains(messages, "Delete 2 repositories? [y/N]") || !strings.Contains(messages, "/team/db") {
		t.Errorf("%v, %q, %q", err, out, messages)
	}
	if out, _, err := run("y\n", "repo", "rm", "team/db"); err != nil || !strings.Contains(out, "/team/db") {
		t.Errorf("%v, %q", err, out)
	}
	if out, _, err := run("", "repo", "ls"); err != nil || !strings.Contains(out, "team/app") || strings.Contains(out, "team/db") {
		t.Errorf("%v, %q", err, out)
	}
}
