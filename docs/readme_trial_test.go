//go:build trial

package docs_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTrialFirstFiveMinutes runs the commands of the README's first section from top to bottom, with an empty home
// directory. Only the port is another one, since a local ECR may be running on this machine.
func TestTrialFirstFiveMinutes(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## First five minutes\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(section, -1)
	if len(blocks) < 8 {
		t.Fatalf("%d blocks of commands", len(blocks))
	}
	var script strings.Builder
	for _, block := range blocks {
		script.WriteString(block[1])
	}
	addr := " --addr " + freeAddr(t)
	commands := strings.NewReplacer(
		"ecrkit local --ephemeral", "ecrkit local --ephemeral"+addr, "ecrkit local env", "ecrkit local env"+addr,
	).Replace(script.String())
	if strings.Count(commands, addr) != 2 {
		t.Fatalf("the section starts no local ECR:\n%s", commands)
	}

	home := t.TempDir()
	sh := exec.Command("sh", "-eux", "-c", "trap 'kill $! || :' EXIT\n"+commands) // a failure ends the server too
	sh.Dir, sh.WaitDelay = "..", 10*time.Second
	sh.Env = append(without(os.Environ(), "AWS_", "ECRKIT_", "XDG_", "DOCKER_", "COSIGN_"), "HOME="+home, "TMPDIR="+t.TempDir())
	for _, name := range []string{"GOMODCACHE", "GOCACHE", "GOPROXY"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		sh.Env = append(sh.Env, fmt.Sprintf("%s=%s", name, strings.TrimSpace(string(value))))
	}
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"signed by release.pub", "it is not signed", "exit code 4", "passed, findings: none", "2 of 2 images expire", "IMMUTABLE"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output has no %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
	if _, err := os.Stat(filepath.Join(home, ".local", "share", "ecrkit")); err == nil {
		t.Error("the local ECR has left data in the home directory")
	}
}

// freeAddr returns an address on which nothing listens.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// without returns the environment without the variables that begin with one of the prefixes.
func without(environ []string, prefixes ...string) []string {
	var kept []string
next:
	for _, variable := range environ {
		for _, prefix := range prefixes {
			if strings.HasPrefix(variable, prefix) {
				continue next
			}
		}
		kept = append(kept, variable)
	}
	return kept
}
