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
	addr := " --addr " + freeAddr(t)
	commands := strings.NewReplacer(
		"ecrkit local --ephemeral", "ecrkit local --ephemeral"+addr, "ecrkit local env", "ecrkit local env"+addr,
	).Replace(readmeCommands(t, "First five minutes", "", 8))
	if strings.Count(commands, addr) != 2 {
		t.Fatalf("the section starts no local ECR:\n%s", commands)
	}

	home := t.TempDir()
	out, err := run(t, home, commands)
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

// TestTrialReadme runs the commands of the README's other sections from top to bottom, with a local ECR in the place of
// HOST and of ghcr.io. make interop runs docker, cosign and the aws CLI: here they do nothing, but that docker
// saves an image.
func TestTrialReadme(t *testing.T) {
	commands := readmeCommands(t, "Install", "Development\n", 7)
	for old, with := range map[string]string{ // for people, or for another machine
		"sh install.sh":               `sh install.sh --prefix "$HOME/.local"; PATH="$HOME/.local/bin:$PATH"; start`,
		" OTHER-HOST/":                ` "$ECRKIT_REGISTRY"/other/`,
		" HOST":                       ` "$ECRKIT_REGISTRY"`,
		" ghcr.io/":                   " $ECRKIT_REGISTRY/",
		"[HOST/mirror]":               "[$ECRKIT_REGISTRY/mirror]",
		"ecrkit proxy & ":             "ecrkit proxy --addr " + freeAddr(t) + " & proxy=$!",
		"--max-expire 10% ":           "--max-expire 10% --yes ", // it asks
		"--report audit.html":         "--report audit.html && exit 1 || [ $? -eq 5 ]",
		"ecrkit local & ":             "ecrkit local --ephemeral --addr " + freeAddr(t) + " & other=$!",
		`eval "$(ecrkit local env)" `: ": ",
	} {
		if !strings.Contains(commands, old) {
			t.Errorf("the README has no %q", old)
		}
		commands = strings.ReplaceAll(commands, old, with)
	}
	out, err := run(t, t.TempDir(), `
docker() { case $1 in save) cat "$work/app.tar" ;; *) echo "docker $1" ;; esac; }
cosign() { echo "cosign $1"; }
aws() { echo "aws $2"; }
start() {
	work=$(mktemp -d)
	cd "$work"
	ecrkit local --ephemeral --addr `+freeAddr(t)+` 2>server.log & server=$!
	until grep -q 127.0.0.1 server.log; do :; done
	eval "$(ecrkit local env --addr "$(grep -o '127[0-9.:]*' server.log | head -1)")"
	mkdir image
	echo hello >image/hello.txt
	tar -cf image/layer.tar -C image hello.txt
	layer=$(sha256sum <image/layer.tar | cut -c1-64)
	echo '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:'$layer'"]}}' >image/config.json
	echo '[{"Config":"config.json","RepoTags":["app:1.0"],"Layers":["layer.tar"]}]' >image/manifest.json
	tar -cf app.tar -C image manifest.json config.json layer.tar
	ecrkit copy app.tar oci:build:1.0
	ecrkit repo create app other/app team/app
	ecrkit push app.tar "$ECRKIT_REGISTRY/team/app:1.0"
	ecrkit push app.tar "$ECRKIT_REGISTRY/db:1" --create-repository
	ecrkit scan policy new >gate.yaml
	ecrkit lifecycle new --untagged-older-than 7 >policy.json
}
`+"trap 'kill $server $other $proxy || :' EXIT\n"+commands)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"added     public.ecr.aws", "signed by release.pub", `"status":"verified"`, "cosign verify", "lifecycle policy put on",
		"passed, findings: none", "tagMutability: MUTABLE -> IMMUTABLE", "aws describe-images", "docker push", "docker pull", "mirror/team/app", "other/mirror/db",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output has no %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// readmeCommands returns the commands of the README from a section to the next one whose heading begins with end. There
// are at least so many blocks of them.
func readmeCommands(t *testing.T, section, end string, least int) string {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "\n## "+section+"\n")
	part, _, _ = strings.Cut(part, "\n## "+end)
	return commandsOf(t, part, least, false)
}

// commandsOf returns the commands of a text, of which there are at least so many blocks, each in a shell of its own
// if apart.
func commandsOf(t *testing.T, text string, least int, apart bool) string {
	blocks := regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(text, -1)
	if len(blocks) < least {
		t.Fatalf("%d blocks of commands", len(blocks))
	}
	var script strings.Builder
	for _, block := range blocks {
		if apart {
			block[1] = "(\n" + block[1] + ")\n"
		}
		script.WriteString(block[1])
	}
	return script.String()
}

// run runs commands in the clone with a home directory.
func run(t *testing.T, home, commands string) (output []byte, err error) {
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
	return sh.CombinedOutput()
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
