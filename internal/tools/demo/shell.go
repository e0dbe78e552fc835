package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A shell prints what it does as the lines of a terminal session.
type shell struct {
	out     io.Writer
	dir     string   // working directory of the commands
	bin     string   // directory of our commands
	environ []string // of the commands
	steps   int
}

// step begins a part of the demonstration.
func (s *shell) step(text string) {
	s.steps++
	fmt.Fprintf(s.out, "\n%d. %s\n", s.steps, text)
}

// typed prints a command line.
func (s *shell) typed(format string, args ...any) {
	fmt.Fprintf(s.out, "$ "+format+"\n", args...)
}

// run prints and executes one of our commands; its messages go to the terminal with its result.
func (s *shell) run(ctx context.Context, program string, args ...string) error {
	s.typed("%s", strings.Join(append([]string{program}, args...), " "))
	cmd := s.command(ctx, "", program, args...)
	cmd.Stdout, cmd.Stderr = s.out, s.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	return nil
}

// save is run with the result going to a file.
func (s *shell) save(ctx context.Context, file, program string, args ...string) error {
	s.typed("%s > %s", strings.Join(append([]string{program}, args...), " "), file)
	cmd := s.command(ctx, "", program, args...)
	cmd.Stderr = s.out
	result, err := cmd.Output()
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
	cmd.Stdout, cmd.Stderr = s.out, io.MultiWriter(s.out, &said)
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		return fmt.Errorf("%s: %w", program, err)
	}
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
