//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/dustin/go-humanize"

	"github.com/ecrkit/ecrkit/internal/test/stage"
	"github.com/ecrkit/ecrkit/localecr"
)

// registry is a local ECR that runs as a process of its own.
type registry struct {
	*stage.Local
	audit string
}

// start starts a local ECR, and makes the commands know it.
func (b *bench) start(ctx context.Context, name, store string, args ...string) (*registry, error) {
	r := &registry{audit: filepath.Join(b.dir, name+".jsonl")}
	args = append([]string{"--addr", "127.0.0.1:0", "--data", store, "--audit", r.audit, "--quiet"}, args...)
	var err error
	if r.Local, err = stage.StartLocal(context.WithoutCancel(ctx), filepath.Join(b.bin, "ecrkit"), os.Stderr, args...); err != nil {
		return nil, err
	}
	docker := filepath.Join(b.dir, "docker-"+name)
	if err := os.MkdirAll(docker, 0o700); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`{"credHelpers":{%q:"ecrkit"}}`, r.Addr)
	b.environ = append(r.Environ(nil), "HOME="+docker, "XDG_RUNTIME_DIR="+docker, "TMPDIR="+b.dir, "DOCKER_CONFIG="+docker,
		"PATH="+b.bin+string(filepath.ListSeparator)+b.tools+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return r, os.WriteFile(filepath.Join(docker, "config.json"), []byte(config), 0o600)
}

// calls takes what the audit log has got since it was asked last.
func (r *registry) calls() (calls []localecr.Call, err error) {
	data, err := os.ReadFile(r.audit)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(data) {
		var c localecr.Call
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		calls = append(calls, c)
	}
	return calls, os.Truncate(r.audit, 0)
}

// measured is what a command used.
type measured struct {
	wall  time.Duration
	rss   int64 // bytes
	calls []localecr.Call
	disk  int64 // bytes that it left behind
}

// commandTime bounds every command.
const commandTime = 5 * time.Minute

// measure runs commands, one after the other, and adds up what they use. left, if not "", is what they write.
func (b *bench) measure(ctx context.Context, r *registry, left string, commands ...[]string) (m measured, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	if _, err := r.calls(); err != nil {
		return m, err
	}
	for _, argv := range commands {
		path, err := b.look(argv[0])
		if err != nil {
			return m, err
		}
		cmd := exec.CommandContext(ctx, path, argv[1:]...)
		cmd.Env, cmd.Dir = b.environ, b.dir
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		start := time.Now()
		if err := cmd.Run(); err != nil {
			text := output.String()
			return m, fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, text[max(0, len(text)-500):])
		}
		m.wall += time.Since(start)
		m.rss = max(m.rss, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10)
	}
	if m.calls, err = r.calls(); err != nil || left == "" {
		return m, err
	}
	return m, filepath.WalkDir(left, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		m.disk += info.Size()
		return err
	})
}

// look finds a program in our directories, or else in PATH.
func (b *bench) look(name string) (string, error) {
	for _, dir := range []string{b.bin, b.tools} {
		if path := filepath.Join(dir, name); files(path) {
			return path, nil
		}
	}
	return exec.LookPath(name)
}

func files(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// count is how many of the calls are of an operation.
func (m measured) count(op string) (n int) {
	for _, c := range m.calls {
		if c.Op == op {
			n++
		}
	}
	return n
}

// row is one command of a table.
type row struct {
	name, program string
	commands      [][]string
	left          string // what it writes
}

// wanted reports whether a row is measured.
func (b *bench) wanted(r row) bool {
	begins := func(word string) bool { return strings.HasPrefix(r.name, word) }
	if len(b.cases) > 0 && !slices.ContainsFunc(b.cases, begins) || len(b.programs) > 0 && !slices.Contains(b.programs, r.program) {
		return false
	}
	_, err := b.look(r.commands[0][0])
	return err == nil
}

func size(n int64) string { return humanize.IBytes(uint64(n)) }

// create makes a repository.
func (b *bench) create(ctx context.Context, name string) error {
	_, err := b.near.ECR().CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &name})
	return err
}
