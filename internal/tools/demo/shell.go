package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A shell prints what it does as the lines of a terminal session.
type shell struct {
	out     io.Writer
	dir     string      // working directory of the commands
	bin     string      // directory of our commands
	environ []string    // of the commands
	short   [][2]string // what is shown in place of addresses
	steps   int
}

// columns is the width of what is printed.
const columns = 80

var (
	digestColumn = regexp.MustCompile(`(?m)^(.*DIGEST) {52}`)
	longDigest   = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{52}\b`)
	resumedBytes = regexp.MustCompile(`of which .* had been sent before`)
)

// resumed reports whether a pull said that it had something already.
func resumed(said string) bool { return resumedBytes.MatchString(said) }

// show prints text with short digests and addresses, wrapped at columns.
func (s *shell) show(text string) {
	text = longDigest.ReplaceAllString(digestColumn.ReplaceAllString(text, "$1"), "$1")
	for _, pair := range s.short {
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		for runes := []rune(line); len(runes) > columns; runes = []rune(line) {
			at := columns
			for i := columns; i > 8; i-- {
				if runes[i] == ' ' {
					at = i
					break
				}
			}
			fmt.Fprintln(s.out, strings.TrimRight(string(runes[:at]), " "))
			line = "    " + strings.TrimLeft(string(runes[at:]), " ")
		}
		fmt.Fprintln(s.out, line)
	}
}

// step begins a part of the demonstration.
func (s *shell) step(text string) {
	s.steps++
	fmt.Fprintln(s.out)
	s.show(fmt.Sprintf("%d. %s", s.steps, text))
}

// typed prints a command line.
func (s *shell) typed(format string, args ...any) {
	s.show("$ " + fmt.Sprintf(format, args...))
}

// run prints and executes one of our commands; its messages are shown with its result.
func (s *shell) run(ctx context.Context, program string, args ...string) error {
	_, err := s.runSaid(ctx, program, args...)
	return err
}

// runSaid is run that returns what the command printed.
func (s *shell) runSaid(ctx context.Context, program string, args ...string) (string, error) {
	s.typed("%s", strings.Join(append([]string{program}, args...), " "))
	said, err := s.command(ctx, "", program, args...).CombinedOutput()
	s.show(string(said))
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", program, args[0], err)
	}
	return string(said), nil
}

// output executes one of our commands without a word and returns its result.
func (s *shell) output(ctx context.Context, program string, args ...string) (string, error) {
	result, err := s.command(ctx, "", program, args...).Output()
	return string(result), err
}

// killed prints and starts one of our commands, and kills it when it has completed a part of a layer below dir. It is started again if
// the rest of that layer came before it ended.
func (s *shell) killed(ctx context.Context, dir, program string, args ...string) error {
	s.typed("%s & sleep 1; kill -9 $!", strings.Join(append([]string{program}, args...), " "))
	for range 3 {
		if err := s.killedOnce(ctx, dir, program, args...); err != nil {
			return err
		}
		if noted(dir) {
			fmt.Fprintln(s.out, "Killed")
			return nil
		}
	}
	return fmt.Errorf("%s %s: no layer was left in part when it was killed", program, args[0])
}

func (s *shell) killedOnce(ctx context.Context, dir, program string, args ...string) error {
	cmd := s.command(ctx, "", program, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case <-done:
			return fmt.Errorf("%s %s ended before it was killed", program, args[0])
		case <-time.After(10 * time.Millisecond):
		}
		if noted(dir) {
			err := cmd.Process.Kill()
			<-done
			return err
		}
	}
}

// noted reports whether a pull into dir has noted a part of a layer as complete, which the next one does not
// fetch again.
func noted(dir string) (found bool) {
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".spans") {
			return nil
		}
		info, err := entry.Info()
		found = found || err == nil && info.Size() > int64(len("ecrkit 1\n"))
		return nil
	})
	return found
}

// save is run with the result going to a file.
func (s *shell) save(ctx context.Context, file, program string, args ...string) error {
	s.typed("%s > %s", strings.Join(append([]string{program}, args...), " "), file)
	cmd := s.command(ctx, "", program, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	result, err := cmd.Output()
	s.show(said.String())
	if err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	return os.WriteFile(filepath.Join(s.dir, file), result, 0o644)
}

// refused prints and executes one of our commands, which has to fail with this exit code and message.
func (s *shell) refused(ctx context.Context, code int, message, program string, args ...string) error {
	s.typed("%s", strings.Join(append([]string{program}, args...), " "))
	var said bytes.Buffer
	cmd := s.command(ctx, "", program, args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		return fmt.Errorf("%s: %w", program, err)
	}
	s.show(said.String())
	s.typed("echo $?")
	fmt.Fprintln(s.out, cmd.ProcessState.ExitCode())
	if cmd.ProcessState.ExitCode() != code || !strings.Contains(said.String(), message) {
		return fmt.Errorf("%s %s should have failed with exit code %d and %q", program, args[0], code, message)
	}
	return nil
}

func (s *shell) command(ctx context.Context, stdin, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.environ, strings.NewReader(stdin)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// credentials asks the helper as docker does and prints the answer without the secret.
func (s *shell) credentials(ctx context.Context, host string) error {
	s.typed("echo %s | docker-credential-ecrkit get", host)
	var stderr bytes.Buffer
	cmd := s.command(ctx, host+"\n", "docker-credential-ecrkit", "get")
	cmd.Stderr = &stderr
	answer, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("docker-credential-ecrkit get: %w: %s", err, stderr.String())
	}
	var credentials struct{ ServerURL, Username, Secret string }
	if err := json.Unmarshal(answer, &credentials); err != nil {
		return fmt.Errorf("docker-credential-ecrkit get does not answer with JSON: %w", err)
	}
	if credentials.Username != "AWS" || credentials.Secret == "" {
		return fmt.Errorf("docker-credential-ecrkit get answers with the user %q and a secret of %d characters", credentials.Username, len(credentials.Secret))
	}
	fmt.Fprintf(s.out, "user %s, a password of %d characters (not shown)\n", credentials.Username, len(credentials.Secret))
	return nil
}
