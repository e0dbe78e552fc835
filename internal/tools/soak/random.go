//go:build linux

package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// loopSource is what package testing gets for the section "random": a plain loop over a fuzz function.
//
//go:embed testdata/loop.go.txt
var loopSource string

// The environment of the plain loop; see testdata/loop.go.txt.
const (
	loopTime = "SOAK_LOOP_TIME" // milliseconds of one target
	loopSeed = "SOAK_LOOP_SEED"
	loopKeep = "SOAK_LOOP_INPUTS" // directory with inputs that the section "fuzz" found
)

// randomSlice is the time of one turn of one target.
const randomSlice = 5 * time.Second

// runRandom executes the fuzz functions with random changes of their seeds and of the inputs that the section "fuzz" kept.
// Nothing guides it: no coverage is measured. In return there is one process without a coordinator, and most targets are
// executed 10 to 100 times as often. All targets get the same time, in turns.
func runRandom(ctx context.Context, s *soak) error {
	r := s.begin("random")
	dir := s.fuzzDirectory()
	programs := filepath.Join(dir, "random")
	if err := os.MkdirAll(programs, 0o777); err != nil {
		return err
	}
	packages, err := s.fuzzPackages(ctx)
	if err != nil {
		return err
	}
	end := time.Now().Add(s.fuzzTime)
	for _, p := range packages {
		targets, err := p.build(ctx, programs, buildLoop)
		if err != nil {
			return err
		}
		s.saving.Lock()
		r.Fuzz = append(r.Fuzz, targets...)
		s.saving.Unlock()
	}
	for round := uint64(0); ctx.Err() == nil && time.Until(end) > time.Second; round++ {
		// So that each target has its turn before the end.
		slice := min(randomSlice, max(time.Until(end)/time.Duration(len(r.Fuzz)), 100*time.Millisecond))
		for _, t := range r.Fuzz {
			if ctx.Err() != nil || len(t.Failures) > 0 {
				continue
			}
			if err := t.loop(ctx, dir, slice, s.seed+round); err != nil {
				return err
			}
			s.saving.Lock()
			r.Seconds = time.Since(r.Started).Seconds()
			s.saving.Unlock()
		}
		if err := s.save(); err != nil {
			return err
		}
	}
	return s.end(r)
}

// buildLoop builds the tests of a package with another package testing.
func buildLoop(ctx context.Context, path, program string) error {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(root)), "src", "testing")
	file := filepath.Join(dir, "fuzz.go")
	source, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	const place = "\n\tswitch f.fstate.mode {\n\tcase fuzzCoordinator:"
	changed := strings.Replace(string(source), place, "\n\tif soakLoop(f, ff, types) {\n\t\treturn\n\t}"+place, 1)
	if changed == string(source) {
		return fmt.Errorf("%s: no place for a plain loop", file)
	}
	tmp, err := os.MkdirTemp("", "ecrkit-loop-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	replaced, added, overlay := filepath.Join(tmp, "fuzz.go"), filepath.Join(tmp, "soakloop.go"), filepath.Join(tmp, "overlay.json")
	for name, text := range map[string]string{
		replaced: changed,
		added:    loopSource,
		overlay:  fmt.Sprintf(`{"Replace": {%q: %q, %q: %q}}`, file, replaced, filepath.Join(dir, "soakloop.go"), added),
	} {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-trimpath", "-overlay", overlay, "-o", program, path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", path, err, out)
	}
	return nil
}

// looped is how the plain loop counts.
var looped = regexp.MustCompile(`(?m)^soak: (\d+) executions in (\d+) ms$`)

// loop executes a target in a plain loop for a time.
func (t *target) loop(ctx context.Context, dir string, d time.Duration, seed uint64) error {
	// What takes five minutes longer hangs; the deadline prints where.
	cmd := exec.CommandContext(ctx, t.program, "-test.run=^"+t.Name+"$", "-test.timeout="+(d+5*time.Minute).String())
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=400", "GOMEMLIMIT=1GiB",
		loopTime+"="+strconv.FormatInt(d.Milliseconds(), 10), loopSeed+"="+strconv.FormatUint(seed, 10),
		loopKeep+"="+filepath.Join(dir, "inputs", t.Package, t.Name))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	t.used(cmd.ProcessState)
	for _, m := range looped.FindAllStringSubmatch(out.String(), -1) {
		n, err1 := strconv.ParseInt(m[1], 10, 64)
		ms, err2 := strconv.ParseInt(m[2], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		t.Executions += n
		t.Seconds += float64(ms) / 1000
	}
	var exit *exec.ExitError
	if err != nil && ctx.Err() == nil {
		if !errors.As(err, &exit) {
			return fmt.Errorf("%s %s: %w", t.Package, t.Name, err)
		}
		text := out.String()
		t.Failures = append(t.Failures, text[:min(len(text), 4000)])
	}
	return nil
}
