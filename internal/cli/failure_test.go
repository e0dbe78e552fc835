package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestInterruptedOnStdin ends a push whose stdin never ends: the first signal is enough,
// whatever the read does.
func TestInterruptedOnStdin(t *testing.T) {
	reader, writer := io.Pipe()
	defer writer.Close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	env := func(key string) (string, bool) {
		value, ok := map[string]string{"HOME": t.TempDir(), "ECRKIT_REGISTRIES": "127.0.0.1:1=000000000000.us-east-1"}[key]
		return value, ok
	}
	var stdout, stderr bytes.Buffer
	code := Main(ctx, []string{"push", "-", "127.0.0.1:1/app:1", "--output", "json"}, reader, &stdout, &stderr, env)
	if want := "ecrkit: interrupted; run the command again to resume\n"; code != exitInterrupted || stderr.String() != want {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
	if want := `{"error":{"code":"interrupted","message":"interrupted; run the command again to resume","object":""}}` + "\n"; stdout.String() != want {
		t.Errorf("stdout %s", stdout.String())
	}
}

// TestMissesFile tells a file that the command line names, and that is missing, from a directory that cannot be made.
func TestMissesFile(t *testing.T) {
	args := []string{"pull", "app:1", "oci:out:1"}
	for op, want := range map[string]bool{"open": true, "mkdir": false} {
		err := fmt.Errorf("oci:out: %w", &fs.PathError{Op: op, Path: "out", Err: fs.ErrNotExist})
		if got := missesFile(args, err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// TestInput reads through the reader that ends with the context: all bytes, in order.
func TestInput(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789"), 100_000)
	got, err := io.ReadAll(newInput(t.Context(), iotestReader{bytes.NewReader(want)}))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	broken := errors.New("broken")
	if _, err := io.ReadAll(newInput(t.Context(), io.MultiReader(strings.NewReader("x"), errReader{broken}))); err != broken {
		t.Error(err)
	}
}

// iotestReader reads in odd pieces, and sometimes nothing.
type iotestReader struct{ r *bytes.Reader }

func (r iotestReader) Read(p []byte) (int, error) {
	if r.r.Len()%3 == 0 && r.r.Len() > 0 {
		n, err := r.r.Read(p[:1])
		return n, err
	}
	return r.r.Read(p[:min(len(p), 4_097)])
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestFailure(t *testing.T) {
	for want, err := range map[string]error{
		"usage":       usagef("x"),
		"partly":      partly(1, []error{content.ErrConflict}),
		"unsigned":    fmt.Errorf("x: %w", sign.ErrUnsigned),
		"untrusted":   fmt.Errorf("x: %w", sign.ErrUntrusted),
		"integrity":   fmt.Errorf("x: %w", content.ErrIntegrity),
		"conflict":    &content.ConflictError{Image: "h/app:1"},
		"gate":        gatef("x"),
		"not-found":   &content.ImageNotFoundError{Place: "h/app", Image: "1"},
		"unsupported": fmt.Errorf("x: %w", content.ErrUnsupported),
		"rate-limit":  fmt.Errorf("x: %w", &retry.LimitError{}),
		"failed":      errors.New("x"),
		"interrupted": context.Canceled,
	} {
		if got := failureCode(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
	for want, err := range map[string]error{
		"h/app:1":        &content.ImageNotFoundError{Place: "h/app", Image: "1"},
		"h/app@sha256:0": fmt.Errorf("x: %w", &content.ImageNotFoundError{Place: "h/app", Image: "sha256:0"}),
		"h/app:2":        &content.ConflictError{Image: "h/app:2"},
		"given":          errors.New("x"),
	} {
		if got := newFailure("given", err).Object; got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}

// TestWithMember adds members to objects of any form.
func TestWithMember(t *testing.T) {
	for object, want := range map[string]string{
		"":              `{"error":1}`,
		"{}":            `{"error":1}`,
		"{ \n}\n":       `{"error":1}`,
		`{"a":{"b":2}}`: `{"a":{"b":2},"error":1}`,
		"{\n  \"a\": [\n  ]\n}\n": `{
  "a": [
  ],"error":1}`,
	} {
		got := string(withMember([]byte(object), "error", []byte("1")))
		if got != want || !json.Valid([]byte(got)) {
			t.Errorf("%q: %s, want %s", object, got, want)
		}
	}
}

func TestExisting(t *testing.T) {
	for want, names := range map[string][]string{
		"there are no tags":                     nil,
		"the only tag is web":                   {"web"},
		"existing tags: web, zulu":              {"web", "zulu"},
		"`ecrkit ls x` lists the existing tags": {"aaaa", "bbbb", "cccc", "dddd", "eeee", "ffff"},
		"did you mean 1.2?":                     {"1.2", "latest"},
	} {
		if got := existing("1.3", names, "tag", "tags", "ecrkit ls x"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLoopbackAddress(t *testing.T) {
	for endpoint, want := range map[string]string{
		"http://127.0.0.1:4510":                   "127.0.0.1:4510",
		"https://localhost":                       "localhost:443",
		"http://[::1]:80/x":                       "[::1]:80",
		"127.0.0.1:5000":                          "127.0.0.1:5000",
		"localhost:5000":                          "localhost:5000",
		"https://api.ecr.us-east-1.amazonaws.com": "",
		"http://10.0.0.1:80":                      "",
		"ghcr.io":                                 "",
		"registry.example:5000":                   "",
		"":                                        "",
		"http://127.0.0.1.nip.io:80":              "",
		"https://000000000000.dkr.ecr.x.localhost:45": "",
	} {
		if got := loopbackAddress(endpoint); got != want {
			t.Errorf("%s: %q, want %q", endpoint, got, want)
		}
	}
}
