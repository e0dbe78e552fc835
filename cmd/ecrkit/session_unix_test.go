//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecrkit/ecrkit/internal/cli"
	"github.com/ecrkit/ecrkit/internal/test/binaries"
	"github.com/ecrkit/ecrkit/internal/test/fastclock"
	sessions "github.com/ecrkit/ecrkit/internal/test/session"
)

// fastClock is the variable with which a script has its commands retry without waiting.
const fastClock = "SESSION_FAST_CLOCK"

// session is the process that runs the commands of one script.
func session() {
	if err := stayOnLoopback(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	run := func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool)) int {
		if value, _ := lookup(fastClock); value != "" {
			ctx = fastclock.Context(ctx)
		}
		return cli.Main(ctx, args, stdin, stdout, stderr, lookup)
	}
	if err := sessions.Serve(run); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// stayOnLoopback has all HTTP requests of this process to other machines go to a proxy that
// does not exist. net/http reads the proxy variables once in a process: those that a script
// sets later would have no effect.
func stayOnLoopback() error {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		if err := os.Setenv(name, "http://127.0.0.1:9"); err != nil {
			return err
		}
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: "registry.example"}})
	if err == nil && proxy == nil {
		err = errors.New("requests to other machines do not go to the proxy")
	}
	return err
}

// buildClient returns a directory with the ecrkit that scripts run.
func buildClient(t *testing.T) string {
	dir := t.TempDir()
	if err := binaries.Build(dir, "internal/test/session/client"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "client"), filepath.Join(dir, "ecrkit")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// useSession has the commands of a script run in one process, except where the script
// sets ECRKIT_SESSION_OWN_PROCESS.
func useSession(e *testscript.Env, clients string) error {
	program, err := exec.LookPath("ecrkit") // testscript.Main has put it there
	if err != nil {
		return err
	}
	variables, end, err := sessions.Start(program, filepath.Join(filepath.Dir(program), "ecrkit-session"))
	if err != nil {
		return err
	}
	e.Defer(func() {
		if err := end(); err != nil {
			e.T().Fatal(fmt.Sprintf("the process of the script's commands: %v", err))
		}
	})
	e.Vars = append(e.Vars, variables...)
	e.Setenv("PATH", clients+string(os.PathListSeparator)+e.Getenv("PATH"))
	return nil
}
