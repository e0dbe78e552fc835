package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// completions are where shells look for them, below share/.
var completions = map[string]string{
	"bash": "share/bash-completion/completions/ecrkit",
	"zsh":  "share/zsh/site-functions/_ecrkit",
	"fish": "share/fish/vendor_completions.d/ecrkit.fish",
}

// hostProgram is where the ecrkit for this machine is built.
func hostProgram(work string) string { return filepath.Join(work, "host", "ecrkit") }

// sharedFiles returns the man pages and completions, which are the same for every platform, by their
// place below the prefix of an installation. They are what ecrkit, built for this machine, writes.
func sharedFiles(ctx context.Context, work string, modified time.Time) ([]file, error) {
	program := hostProgram(work)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, "./cmd/ecrkit")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("go build: %w", err)
	}
	run := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", modified.Unix()))
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("ecrkit %s: %w", strings.Join(args, " "), err)
		}
		return out, nil
	}
	man := filepath.Join(work, "man")
	if _, err := run("man", man); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(man)
	if err != nil {
		return nil, err
	}
	var files []file
	for _, e := range entries {
		data, readErr := os.ReadFile(filepath.Join(man, e.Name()))
		err = errors.Join(err, readErr)
		files = append(files, file{name: "share/man/man1/" + e.Name(), mode: 0o644, data: data})
	}
	for shell, name := range completions {
		data, runErr := run("completion", shell)
		err = errors.Join(err, runErr)
		files = append(files, file{name: name, mode: 0o644, data: data})
	}
	return files, err
}
