//go:build linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// target is one fuzz target, and how often it was executed.
type target struct {
	Package     string   `json:"package"`
	Name        string   `json:"name"`
	Executions  int64    `json:"executions"`
	Interesting int64    `json:"interesting"` // inputs that reached new code, of the section "fuzz"
	Seconds     float64  `json:"seconds"`
	CPU         float64  `json:"cpuSeconds"` // start of the program included
	Failures    []string `json:"failures,omitempty"`

	dir, program string
}

// rate is executions per second of CPU time, which other work on the machine changes little.
func (t *target) rate() float64 {
	if t.CPU == 0 {
		return 0
	}
	return float64(t.Executions) / t.CPU
}

// used adds the CPU time of a process and of its children.
func (t *target) used(p *os.ProcessState) {
	if p != nil {
		t.CPU += (p.UserTime() + p.SystemTime()).Seconds()
	}
}

const (
	fuzzSlice   = 20 * time.Second // of one target at a time
	fastTargets = 8                // which share half of the time
)

// fuzzDirectory returns the directory of the fuzz programs and their inputs.
func (s *soak) fuzzDirectory() string { return cmp.Or(s.fuzzDir, filepath.Join(s.work, "fuzz")) }

// runFuzz fuzzes every target of the module. Half of the time is shared by all targets; the other half
// belongs to the fastest. One process fuzzes at a time.
func runFuzz(ctx context.Context, s *soak) error {
	r := s.begin("fuzz")
	dir := s.fuzzDirectory()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	packages, err := s.fuzzPackages(ctx)
	if err != nil {
		return err
	}
	end := time.Now().Add(s.fuzzTime)
	slice := fuzzSlice
	for i, p := range packages {
		if ctx.Err() != nil || time.Now().After(end) {
			break
		}
		targets, err := p.build(ctx, dir, buildGuided)
		if err != nil {
			return err
		}
		for _, t := range targets {
			s.saving.Lock()
			r.Fuzz = append(r.Fuzz, t)
			s.saving.Unlock()
			// So that each target has its turn before the end.
			slice = min(fuzzSlice, max(time.Until(end)/time.Duration(len(packages)-i)/2, time.Second))
			if err := t.run(ctx, dir, slice); err != nil {
				return err
			}
			r.Seconds = time.Since(r.Started).Seconds()
			if err := s.save(); err != nil {
				return err
			}
		}
	}
	for round := 0; ctx.Err() == nil && time.Now().Before(end); round++ {
		turn := r.Fuzz
		if round%2 == 0 {
			turn = fastest(r.Fuzz, fastTargets)
			if len(turn) > 0 {
				slice = fuzzSlice * time.Duration(len(r.Fuzz)) / time.Duration(len(turn))
			}
		} else {
			slice = fuzzSlice
		}
		for _, t := range turn {
			if left := time.Until(end); ctx.Err() == nil && left > time.Second {
				if err := t.run(ctx, dir, min(slice, left)); err != nil {
					return err
				}
			}
			r.Seconds = time.Since(r.Started).Seconds()
			if err := s.save(); err != nil {
				return err
			}
		}
	}
	return s.end(r)
}

// fastest returns the n targets with the highest rates.
func fastest(all []*target, n int) []*target {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b *target) int { return int(b.rate() - a.rate()) })
	return sorted[:min(n, len(sorted))]
}

// fuzzPackage is a package with fuzz targets.
type fuzzPackage struct {
	path, dir string
	names     []string
}

// name is the path inside of the module.
func (p fuzzPackage) name() string {
	_, name, _ := strings.Cut(p.path, "/ecrkit/ecrkit/")
	return name
}

// fuzzFunction is the beginning of a target in a test file.
var fuzzFunction = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// fuzzPackages finds the packages with fuzz targets that the flags choose; those that need fewer others are first, since
// they are built sooner.
func (s *soak) fuzzPackages(ctx context.Context) ([]fuzzPackage, error) {
	list := exec.CommandContext(ctx, "go", "list", "-f", `{{len .Deps}} {{.ImportPath}} {{.Dir}}{{range .TestGoFiles}} {{.}}{{end}}{{range .XTestGoFiles}} {{.}}{{end}}`, "./...")
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	needs := map[string]int{}
	var found []fuzzPackage
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		p := fuzzPackage{path: fields[1], dir: fields[2]}
		for _, file := range fields[3:] {
			data, err := os.ReadFile(filepath.Join(p.dir, file))
			if err != nil {
				return nil, err
			}
			for _, m := range fuzzFunction.FindAllSubmatch(data, -1) {
				if s.wants(p.name() + " " + string(m[1])) {
					p.names = append(p.names, string(m[1]))
				}
			}
		}
		if len(p.names) > 0 {
			needs[p.path], _ = strconv.Atoi(fields[0])
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(a, b fuzzPackage) int { return needs[a.path] - needs[b.path] })
	return found, nil
}

// build builds the package's tests with compile, unless they are there already.
func (p fuzzPackage) build(ctx context.Context, dir string, compile func(ctx context.Context, path, program string) error) ([]*target, error) {
	name := p.name()
	program := filepath.Join(dir, strings.ReplaceAll(name, "/", "+")+".test")
	if _, err := os.Stat(program); err != nil {
		if err := compile(ctx, p.path, program); err != nil {
			return nil, err
		}
	}
	var targets []*target
	for _, n := range p.names {
		targets = append(targets, &target{Package: name, Name: n, dir: p.dir, program: program})
	}
	return targets, nil
}

// buildGuided builds the tests of a package so that they measure coverage.
func buildGuided(ctx context.Context, path, program string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-fuzz=Fuzz", "-o", program, path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", path, err, out)
	}
	return nil
}

// executed is how the fuzzing engine counts.
var executed = regexp.MustCompile(`execs: (\d+) .*?new interesting: (\d+)`)

// run fuzzes a target for a time. Its inputs are kept in dir.
func (t *target) run(ctx context.Context, dir string, d time.Duration) error {
	cmd := exec.CommandContext(ctx, t.program, "-test.run=^$", "-test.fuzz=^"+t.Name+"$", "-test.fuzztime="+d.Round(time.Second).String(),
		"-test.fuzzcachedir="+filepath.Join(dir, "inputs", t.Package), "-test.parallel=1", "-test.fuzzminimizetime=1s", "-test.timeout=0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir, cmd.Env = t.dir, append(os.Environ(), "GOMAXPROCS=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err := cmd.Run()
	t.Seconds += time.Since(began).Seconds()
	t.used(cmd.ProcessState)
	if all := executed.FindAllSubmatch(out.Bytes(), -1); len(all) > 0 {
		last := all[len(all)-1]
		n, err1 := strconv.ParseInt(string(last[1]), 10, 64)
		inputs, err2 := strconv.ParseInt(string(last[2]), 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		t.Executions += n
		t.Interesting += inputs
	}
	var exit *exec.ExitError
	if err != nil && ctx.Err() == nil {
		if !errors.As(err, &exit) {
			return fmt.Errorf("%s %s: %w", t.Package, t.Name, err)
		}
		text := out.String()
		t.Failures = append(t.Failures, text[max(0, len(text)-4000):])
	}
	return nil
}

func (r *section) writeFuzz(out io.Writer) {
	fmt.Fprintln(out, "package\ttarget\texecutions\tseconds\tCPU seconds\tper CPU second\tnew inputs\tfailures")
	sum := &target{Package: "all"}
	for _, t := range append(slices.Clone(r.Fuzz), sum) {
		fmt.Fprintf(out, "%s\t%s\t%d\t%.0f\t%.1f\t%.0f\t%d\t%d\n", t.Package, t.Name, t.Executions, t.Seconds, t.CPU, t.rate(), t.Interesting, len(t.Failures))
		if t != sum {
			sum.Executions, sum.Interesting = sum.Executions+t.Executions, sum.Interesting+t.Interesting
			sum.Seconds, sum.CPU = sum.Seconds+t.Seconds, sum.CPU+t.CPU
			sum.Failures = append(sum.Failures, t.Failures...)
		}
	}
}
