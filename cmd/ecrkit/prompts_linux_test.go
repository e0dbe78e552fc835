package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"golang.org/x/sys/unix"

	"github.com/ecrkit/ecrkit/localecr"
)

// What the keys send.
const (
	ctrlC = "\x03"
	ctrlD = "\x04"
)

// TestPrompts answers questions as a person at a terminal does.
func TestPrompts(t *testing.T) {
	t.Parallel()
	const policy = `{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1}, "action": {"type": "expire"}}]}`
	tests := []struct {
		name, command, question string // {} is the host
		answer                  string
		code                    int
		last                    string // begins the last line
		done                    bool   // the command has changed the registry
	}{
		{"rm", "rm {}/app:1.0", "Delete 1 tag or image?", "yes\n", 0, "removed tag {}/app:1.0", true},
		{"rm", "rm {}/app:1.0", "Delete 1 tag or image?", "maybe\n", 1, "ecrkit: nothing was deleted", false},
		{"rm", "rm {}/app:1.0", "Delete 1 tag or image?", ctrlC, 130, "ecrkit: interrupted", false},
		{"rm", "rm {}/app:1.0", "Delete 1 tag or image?", ctrlD, 1, "ecrkit: nothing was deleted", false},
		{"rm, an unfinished line", "rm {}/app:1.0", "Delete 1 tag or image?", "yes" + ctrlD + ctrlD, 1, "ecrkit: nothing was deleted", false},
		{"repo rm", "repo rm {}/app --force", "", ctrlC, 130, "ecrkit: interrupted", false},
		{"repo rm", "repo rm {}/app --force", "", ctrlD, 1, "ecrkit: nothing was deleted", false},
		{"repo rm", "repo rm {}/app --force", "", "y\n", 0, "", true},
		{"lifecycle put", "lifecycle put {}/app --policy policy.json", "Put the policy of 1 repository?", ctrlC, 130, "ecrkit: interrupted", false},
		{"lifecycle put", "lifecycle put {}/app --policy policy.json", "Put the policy of 1 repository?", ctrlD, 1, "ecrkit: nothing was changed", false},
		{"lifecycle put", "lifecycle put {}/app --policy policy.json", "Put the policy of 1 repository?", "yes\n", 0, "lifecycle policy put on {}/app", true},
		{"repo apply", "repo apply repositories.yaml {}", "Apply?", ctrlC, 130, "ecrkit: interrupted", false},
		{"repo apply", "repo apply repositories.yaml {}", "Apply?", ctrlD, 1, "ecrkit: nothing was changed", false},
		{"generate-key-pair", "generate-key-pair release", "Password of", ctrlC, 130, "ecrkit: interrupted", false},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %q", test.name, test.answer), func(t *testing.T) {
			t.Parallel()
			server := newRegistry(t)
			dir := t.TempDir()
			for name, text := range map[string]string{"policy.json": policy, "repositories.yaml": "version: 1\nrepositories:\n  - name: app\n    tagMutability: IMMUTABLE\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := registryState(t, server)
			in := strings.NewReplacer("{}", server.Registry)
			out, code := atTerminal(t, server, dir, strings.Fields(in.Replace(test.command)), test.answer)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if !strings.Contains(out, test.question) {
				t.Errorf("no question %q", test.question)
			}
			lines := strings.Split(strings.TrimRight(out, "\r\n"), "\r\n")
			if last, want := lines[len(lines)-1], in.Replace(test.last); !strings.HasPrefix(last, want) {
				t.Errorf("the last line is %q, want %q", last, want)
			}
			if changed := registryState(t, server) != before; changed != test.done {
				t.Errorf("the registry has changed: %t, want %t", changed, test.done)
			}
			if _, err := os.Stat(filepath.Join(dir, "release.key")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a key was written: %v", err)
			}
			if t.Failed() {
				t.Logf("%s", out)
			}
		})
	}
}

// registryState is what the commands of TestPrompts may change.
func registryState(t *testing.T, server *localecr.Server) string {
	client := ecr.NewFromConfig(server.AWSConfig())
	repositories, err := client.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
	if err != nil {
		t.Fatal(err)
	}
	var state strings.Builder
	for _, r := range repositories.Repositories {
		images, err := client.ListImages(t.Context(), &ecr.ListImagesInput{RepositoryName: r.RepositoryName})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&state, *r.RepositoryName, r.ImageTagMutability, len(images.ImageIds))
		if policy, err := client.GetLifecyclePolicy(t.Context(), &ecr.GetLifecyclePolicyInput{RepositoryName: r.RepositoryName}); err == nil {
			fmt.Fprintln(&state, aws.ToString(policy.LifecyclePolicyText))
		}
	}
	return state.String()
}

// atTerminal runs ecrkit in dir on a terminal of its own, answers what it asks first, and returns all that the
// terminal shows, and the exit code.
func atTerminal(t *testing.T, server *localecr.Server, dir string, args []string, answer string) (shown string, code int) {
	keyboard, terminal := newTerminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ecrkit", args...)
	cmd.Dir = dir
	cmd.Env = append(server.Env(), "HOME="+dir, "PATH="+os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0", "GOCOVERDIR="+os.Getenv("GOCOVERDIR"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := terminal.Close(); err != nil { // reading from the other end fails once the command has ended
		t.Fatal(err)
	}
	var out bytes.Buffer
	answered, b := false, make([]byte, 4<<10)
	for {
		n, err := keyboard.Read(b)
		out.Write(b[:n])
		if !answered && (bytes.HasSuffix(out.Bytes(), []byte("[y/N] ")) || bytes.HasSuffix(out.Bytes(), []byte("release.key: "))) {
			answered = true
			if _, err := io.WriteString(keyboard, answer); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// newTerminal opens a pseudo-terminal of 80 columns: what is written to the keyboard is typed at the terminal.
func newTerminal(t *testing.T) (keyboard, terminal *os.File) {
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}))
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return keyboard, terminal
}
