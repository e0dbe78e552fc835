//go:build unix

package auth

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

// processProfile makes the profile "process", whose credential_process runs script.
func processProfile(t *testing.T, script string) (program string) {
	t.Helper()
	isolate(t)
	dir := t.TempDir()
	program = filepath.Join(dir, "process")
	setScript(t, program, script)
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, []byte("[profile process]\ncredential_process = "+program+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", config)
	t.Setenv("AWS_PROFILE", "process")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	return program
}

func setScript(t *testing.T, program, script string) {
	t.Helper()
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

const printKeys = `echo '{"Version":1,"AccessKeyId":"AKIAPROCESS","SecretAccessKey":"s"}'`

// A credential_process may ask for a code: the time that the user takes to answer
// does not count as the time of a call.
func TestSlowCredentialProcess(t *testing.T) {
	const quick = 900 * time.Millisecond // less than the process takes, and time for the calls on a busy machine
	identity := Registries{Rules: []Rule{{Host: "*", CacheIdentity: "me"}}}
	for name, registries := range map[string]Registries{"asked each time": {}, "of one identity": identity} {
		t.Run(name, func(t *testing.T) {
			processProfile(t, "sleep 1; "+printKeys)
			calls := mintServer(t)
			now := time.Now()
			tokens := &Tokens{Store: &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "cache"), Now: func() time.Time { return now }},
				LockTimeout: quick, RenewTimeout: quick}
			tokens.Minter = Minter{Timeout: quick, AWS: AWS{Registries: registries, Now: func() time.Time { return now }}}
			done := make(chan error)
			for range 2 { // the second one waits for the first
				go func() {
					_, err := tokens.Token(t.Context(), local)
					done <- err
				}()
			}
			if err := errors.Join(<-done, <-done); err != nil || calls.Load() != 1 {
				t.Errorf("%d calls, %v", calls.Load(), err)
			}
			now = now.Add(7 * time.Hour)
			if token, err := tokens.Token(t.Context(), local); err != nil || token.Secret != password+"2" {
				t.Errorf("renewed: %q, %v", token.Secret, err)
			}
			token, err := (&Minter{Timeout: quick}).Token(t.Context(), local)
			if err != nil || token.Secret != password+"3" {
				t.Errorf("minted: %q, %v", token.Secret, err)
			}
		})
	}
}

// The call after it has the usual time.
func TestCallAfterCredentialProcess(t *testing.T) {
	processProfile(t, printKeys)
	blockAPI(t)
	begun := time.Now()
	_, err := (&Minter{Timeout: 300 * time.Millisecond}).Token(t.Context(), local)
	if took := time.Since(begun); err == nil || took > 10*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}

// A process that fails when the token is to be renewed leaves the token in use.
func TestRenewalWithoutCredentials(t *testing.T) {
	program := processProfile(t, printKeys)
	calls := mintServer(t)
	now := time.Now()
	tokens := &Tokens{Store: &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "cache"), Now: func() time.Time { return now }}}
	tokens.Minter.AWS = AWS{Registries: Registries{Rules: []Rule{{Host: "*", CacheIdentity: "me"}}}, Now: func() time.Time { return now }}
	if _, err := tokens.Token(t.Context(), local); err != nil {
		t.Fatal(err)
	}
	setScript(t, program, "echo no code was entered >&2; exit 1")
	now = now.Add(7 * time.Hour)
	if token, err := tokens.Token(t.Context(), local); err != nil || token.Secret != password+"1" || calls.Load() != 1 {
		t.Errorf("%q, %d calls, %v", token.Secret, calls.Load(), err)
	}
}

// blockAPI makes the ECR API answer no call before its client goes.
func blockAPI(t *testing.T) {
	t.Helper()
	serveFunc(t, func(_ http.ResponseWriter, req *http.Request) { waitForClient(req) })
}
