//go:build unix

package helpertrial

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/fakeaws"
)

// R12: nothing that is secret is in what is printed or logged, but the answer.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	trial := start(t)
	identities, err := trial.Identities()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(trial.Home, "debug.log")
	var shown strings.Builder
	run := func(action string, id Identity) {
		a, err := trial.Run(action, Host, append([]string{"ECRKIT_LOG=debug:" + log}, id.Env...)...)
		if err != nil {
			t.Fatal(err)
		}
		if action != "get" || a.Code != 0 {
			shown.WriteString(a.Stdout)
		}
		shown.WriteString(a.Stderr)
	}
	for _, id := range identities {
		for _, action := range []string{"get", "list", "erase"} {
			run(action, id)
		}
	}
	for _, fault := range []fakeaws.Fault{{Status: 400, Code: "AccessDeniedException", Message: "no"}, {Status: 500}, {Garbage: true}, {Reset: true}} {
		trial.World.ECR.SetFault("", fault)
		for _, id := range identities[:8] {
			run("get", id)
		}
	}
	data, err := os.ReadFile(log)
	if err != nil || len(data) == 0 {
		t.Fatalf("no log: %v", err)
	}
	shown.Write(data)
	files, err := trial.CacheFiles()
	if err != nil {
		t.Fatal(err)
	}
	shown.WriteString(strings.Join(files, "\n"))
	wantNoSecret(t, trial, shown.String())
	if info, err := os.Stat(log); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("log: %v, %v", info.Mode(), err)
	}
}

func wantNoSecret(t *testing.T, trial *Trial, shown string) {
	t.Helper()
	secrets := trial.World.Principals.Secrets()
	if len(secrets) == 0 {
		t.Fatal("no secret was given out")
	}
	for _, secret := range secrets {
		if strings.Contains(shown, secret) {
			t.Errorf("%.12s… is shown", secret)
		}
	}
}

// Every identity runs one command, and every command is run.
func TestNoSecretIsShownByCommands(t *testing.T) {
	t.Parallel()
	noSecretIsShownByCommands(t, func(identity, identities, command int) bool {
		return command == tries || command%identities == identity
	})
}

// tries is the number of the command that looks for the credentials and says how.
const tries = 1

// The same of every `ecrkit auth` command; what prints a token to be used
// (token, kubelet) does so on stdout alone. Those commands run for which of returns
// true.
func noSecretIsShownByCommands(t *testing.T, of func(identity, identities, command int) bool) {
	trial := start(t)
	identities, err := trial.Identities()
	if err != nil {
		t.Fatal(err)
	}
	request := `{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"` + Host + `/app"}`
	log := filepath.Join(trial.Home, "debug.log")
	var shown strings.Builder
	run := func(id Identity, input string, args ...string) {
		t.Helper()
		a, err := trial.run(exec.Command(companion, args...), input, append([]string{"ECRKIT_LOG=debug:" + log}, id.Env...))
		if err != nil {
			t.Fatal(err)
		}
		if a.Code == 2 || a.Stdout == "" && a.Stderr == "" && args[1] != "login" {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q", args, a.Code, a.Stdout, a.Stderr)
		}
		if args[1] != "token" && args[1] != "kubelet" {
			shown.WriteString(a.Stdout)
		}
		shown.WriteString(a.Stderr)
	}
	for _, fault := range []fakeaws.Fault{{}, {Status: 400, Code: "AccessDeniedException", Message: "no"}} {
		trial.World.ECR.SetFault("", fault)
		for i, id := range identities {
			command := 0
			for _, form := range []string{"text", "json"} {
				for _, args := range [][]string{
					{"auth", "explain", Host}, {"auth", "explain", "--try", Host}, {"auth", "token", Host}, {"auth", "cache", "ls"},
					{"auth", "login", Host}, {"auth", "setup", Host}, {"auth", "setup", "--check", Host}, {"auth", "setup", "--remove", Host},
					{"auth", "cache", "prune"}, {"auth", "cache", "clear"},
				} {
					if of(i, len(identities), command) {
						run(id, "", append(args, "--output", form, "--verbose")...)
					}
					command++
				}
			}
			if of(i, len(identities), command) {
				run(id, request, "auth", "kubelet")
			}
		}
	}
	data, err := os.ReadFile(log)
	if err != nil || len(data) == 0 {
		t.Fatalf("no log: %v", err)
	}
	shown.Write(data)
	wantNoSecret(t, trial, shown.String())
}
