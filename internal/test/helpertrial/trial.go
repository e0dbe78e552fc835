// Package helpertrial puts a credential helper for Amazon ECR, ours or another,
// through what it meets in the field, and counts: processes, calls, tokens. The
// helper is a program; AWS is package fakeaws.
package helpertrial

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ecrkit/ecrkit/internal/test/fakeaws"
)

// Host is a registry of the account that most trials use.
const Host = "123456789012.dkr.ecr.us-east-1.amazonaws.com"

// Trial is one helper in one home directory and one world.
type Trial struct {
	Helper string // path of the program
	World  *fakeaws.World
	Home   string
}

// New makes a trial with an empty home directory below dir.
func New(helper, dir string, world *fakeaws.World) (*Trial, error) {
	home, err := os.MkdirTemp(dir, "home")
	return &Trial{Helper: helper, World: world, Home: home}, err
}

// Answer is what one run of the helper gave.
type Answer struct {
	Secret string
	Stdout string
	Stderr string
	Code   int
}

// Principal is whose the token is; "" without one.
func (a Answer) Principal() string {
	if a.Secret == "" {
		return ""
	}
	return fakeaws.Principal(a.Secret)
}

// Run runs an action of the helper. extra is as for [fakeaws.World.Env].
func (t *Trial) Run(action, input string, extra ...string) (Answer, error) {
	return t.run(exec.Command(t.Helper, action), input, extra)
}

func (t *Trial) run(command *exec.Cmd, input string, extra []string) (Answer, error) {
	var stdout, stderr bytes.Buffer
	command.Env = append(t.World.Env(t.Home, extra...), "GORACE=atexit_sleep_ms=0")
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Answer{}, err
	}
	a := Answer{Stdout: stdout.String(), Stderr: stderr.String(), Code: command.ProcessState.ExitCode()}
	var credentials struct{ Username, Secret string }
	if a.Code == 0 && json.Unmarshal(stdout.Bytes(), &credentials) == nil {
		a.Secret = credentials.Secret
	}
	return a, nil
}

// Get gets the credentials of a host; a failure of the helper is an error.
func (t *Trial) Get(host string, extra ...string) (Answer, error) {
	a, err := t.Run("get", host, extra...)
	if err == nil && a.Secret == "" {
		err = fmt.Errorf("get %s: exit code %d: %s%s", host, a.Code, a.Stdout, a.Stderr)
	}
	return a, err
}

// Together runs n gets at the same time. extra returns the environment of each.
func (t *Trial) Together(n int, host string, extra func(i int) []string) ([]Answer, error) {
	answers := make([]Answer, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i], errs[i] = t.Get(host, extra(i)...) })
	}
	wg.Wait()
	return answers, errors.Join(errs...)
}

// Minted is the number of calls that gave or refused a token of private ECR.
func (t *Trial) Minted() int { return t.World.ECR.Count("GetAuthorizationToken") }

// Assumed is the number of calls to STS.
func (t *Trial) Assumed() int {
	return t.World.ECR.Count("AssumeRole") + t.World.ECR.Count("AssumeRoleWithWebIdentity")
}

// CacheFiles lists the files of the helper's cache that hold tokens.
func (t *Trial) CacheFiles() ([]string, error) {
	ours, err := filepath.Glob(filepath.Join(t.Home, ".cache", "ecrkit", "v1", "*.token"))
	if err != nil {
		return nil, err
	}
	theirs, err := filepath.Glob(filepath.Join(t.Home, ".ecr", "cache.json"))
	return append(ours, theirs...), err
}
