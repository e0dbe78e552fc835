package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecrkit/ecrkit/localecr"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"docker-credential-ecrkit": main})
}

// TestScripts runs testdata/script, each against a local ECR of its own, whose
// address is $ECRKIT_REGISTRY.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			server, err := localecr.New(localecr.Options{})
			if err != nil {
				return err
			}
			server.Start(scriptTB{e})
			e.Vars = append(e.Vars, server.Env()...)
			home := filepath.Join(e.WorkDir, "home")
			if err := os.Mkdir(home, 0o700); err != nil {
				return err
			}
			e.Setenv("HOME", home)
			e.Vars = append(e.Vars, "GORACE=atexit_sleep_ms=0") // otherwise a second for each command
			return nil
		},
	})
}

// scriptTB lets the local ECR end with a script.
type scriptTB struct{ env *testscript.Env }

func (tb scriptTB) Helper()          {}
func (tb scriptTB) Cleanup(f func()) { tb.env.Defer(f) }
func (tb scriptTB) Fatalf(format string, args ...any) {
	tb.env.T().Fatal(fmt.Sprintf(format, args...))
}
