package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/ecrkit/ecrkit/localecr"
)

// answer is a person at the terminal, who does something before answering.
type answer struct {
	before func()
	io.Reader
}

func (a *answer) Read(p []byte) (int, error) {
	if a.before != nil {
		a.before()
		a.before = nil
	}
	return a.Reader.Read(p)
}

// At a terminal the effect is shown, and only yes puts the policy; if the repository
// changed meanwhile, so that something else would expire, it is not put.
func TestLifecyclePutAsks(t *testing.T) {
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
	run := func(stdin io.Reader, args ...string) (stdout, stderr string, err error) {
		var out, messages bytes.Buffer
		app := &App{
			Stdin: stdin, Stdout: &out, Stderr: &lockedWriter{w: &messages}, Interactive: true,
			Env: os.LookupEnv, Now: time.Now, Output: outputText,
		}
		root := newRootCommand(app, "")
		root.SetArgs(args)
		err = root.ExecuteContext(context.Background())
		return out.String(), messages.String(), err
	}
	must := func(args ...string) string {
		t.Helper()
		out, messages, err := run(strings.NewReader(""), args...)
		if err != nil {
			t.Fatal(err, messages)
		}
		return out
	}
	push := func(tag string) {
		t.Helper()
		image, err := random.Image(100, 1)
		if err != nil {
			t.Fatal(err)
		}
		path, err := layout.Write(filepath.Join(t.TempDir(), tag), empty.Index)
		if err == nil {
			err = path.AppendImage(image)
		}
		if err != nil {
			t.Fatal(err)
		}
		must("push", "--quiet", "oci:"+string(path), server.Registry+"/app:"+tag)
	}
	policy := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(policy, []byte(must("lifecycle", "new", "--any-keep", "1")), 0o600); err != nil {
		t.Fatal(err)
	}
	must("repo", "create", "app")
	push("1")
	push("2")
	put := []string{"lifecycle", "put", "app", "--policy", policy}

	out, messages, err := run(strings.NewReader("n\n"), put...)
	if err == nil || err.Error() != "nothing was changed" || out != "" || !strings.Contains(messages, "1 of 2 images expire") || !strings.Contains(messages, "Put the policy of 1 repository? [y/N]") {
		t.Errorf("%v, %q, %q", err, out, messages)
	}
	_, _, err = run(&answer{func() { push("3") }, strings.NewReader("y\n")}, put...)
	if err == nil || !strings.Contains(err.Error(), "it changed meanwhile, and image sha256:") {
		t.Error(err)
	}
	if out := must("lifecycle", "get", "app"); out != "" {
		t.Errorf("a policy was put: %s", out)
	}
	if out, _, err := run(strings.NewReader("y\n"), put...); err != nil || !strings.Contains(out, "2 of 3 images expire") {
		t.Errorf("%v, %q", err, out)
	}
	if out := must("lifecycle", "get", "app"); !strings.Contains(out, `"countNumber": 1`) {
		t.Errorf("there is no policy: %s", out)
	}
}
