//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// section is the result of a section.
type section struct {
	Name    string    `json:"section"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Cases   []*tally  `json:"cases,omitempty"`
	Fuzz    []*target `json:"fuzz,omitempty"`
}

// tally counts the runs of one case and what was wrong with them.
type tally struct {
	Name     string    `json:"case"`
	Runs     int       `json:"runs"` // for kills, those that were killed
	Errors   int       `json:"errors"`
	Wrong    int       `json:"wrong"`
	Lost     int       `json:"lost"`
	Left     int       `json:"left"`
	Hangs    int       `json:"hangs"`
	Unclear  int       `json:"unclear"`
	GaveUp   int       `json:"gaveUp"` // of faults
	Examples []problem `json:"examples,omitempty"`

	mu sync.Mutex
}

// problem is one thing that was wrong.
type problem struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// The kinds of problems.
const (
	wrong   = "wrong"   // a digest that is not right, or a failure where there is no reason for one
	lost    = "lost"    // what a run had acknowledged has gone
	left    = "left"    // something is left behind
	hang    = "hang"    // a run did not end in time
	unclear = "unclear" // an error that does not name its object, is more than one line, or has the wrong exit code
)

// gaveUp is a transient failure that happened once or three times and that was not survived. It is counted by itself,
// since the error may be all right.
const gaveUp = "gave up"

// maxExamples is how many problems of a case are kept.
const maxExamples = 20

// ran counts a run, which failed if failed.
func (t *tally) ran(failed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Runs++
	if failed {
		t.Errors++
	}
}

// found counts a problem.
func (t *tally) found(kind, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch kind {
	case wrong:
		t.Wrong++
	case lost:
		t.Lost++
	case left:
		t.Left++
	case hang:
		t.Hangs++
	case unclear:
		t.Unclear++
	case gaveUp:
		t.GaveUp++
	}
	if len(t.Examples) < maxExamples {
		t.Examples = append(t.Examples, problem{kind, fmt.Sprintf(format, args...)})
	}
}

// problems returns how many there are.
func (t *tally) problems() int { return t.Wrong + t.Lost + t.Left + t.Hangs + t.Unclear + t.GaveUp }

// begin begins a section.
func (s *soak) begin(name string) *section {
	r := &section{Name: name, Started: time.Now()}
	s.saving.Lock()
	defer s.saving.Unlock()
	s.results = append(s.results, r)
	return r
}

// tally adds a case to a section.
func (s *soak) tally(r *section, name string) *tally {
	t := &tally{Name: name}
	s.saving.Lock()
	defer s.saving.Unlock()
	r.Cases = append(r.Cases, t)
	return t
}

// end prints a section's table and saves all results.
func (s *soak) end(r *section) error {
	r.Seconds = time.Since(r.Started).Seconds()
	stopped := ""
	if s.ctx.Err() != nil {
		stopped = ", stopped before its end"
	}
	fmt.Fprintf(s.out, "\n%s, %.0f s%s\n\n", r.Name, r.Seconds, stopped)
	r.write(s.out)
	return s.save()
}

// saveOften saves the results so far until stop is closed, so that little is lost if the run is.
func (s *soak) saveOften(stop <-chan struct{}) {
	tick := time.NewTicker(20 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.save(); err != nil {
				fmt.Fprintln(s.out, "soak:", err)
			}
		case <-stop:
			return
		}
	}
}

func (r *section) write(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', tabwriter.Debug)
	if len(r.Fuzz) > 0 {
		r.writeFuzz(table)
	} else {
		fmt.Fprintln(table, "case\truns\terrors\twrong\tlost\tleft\thangs\tunclear\tgave up")
		sum := &tally{Name: "all"}
		for _, t := range append(r.Cases, sum) {
			fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", t.Name, t.Runs, t.Errors, t.Wrong, t.Lost, t.Left, t.Hangs, t.Unclear, t.GaveUp)
			sum.Runs, sum.Errors, sum.Wrong, sum.Lost = sum.Runs+t.Runs, sum.Errors+t.Errors, sum.Wrong+t.Wrong, sum.Lost+t.Lost
			sum.Left, sum.Hangs, sum.Unclear = sum.Left+t.Left, sum.Hangs+t.Hangs, sum.Unclear+t.Unclear
			sum.GaveUp += t.GaveUp
		}
	}
	_ = table.Flush() // to the standard output
	for _, t := range r.Cases {
		for _, p := range t.Examples {
			fmt.Fprintf(out, "\n%s: %s: %s\n", t.Name, p.Kind, p.Text)
		}
	}
}

// MarshalJSON implements [json.Marshaler], for a case that goes on.
func (t *tally) MarshalJSON() ([]byte, error) {
	type fields tally // without this method
	t.mu.Lock()
	defer t.mu.Unlock()
	return json.Marshal((*fields)(t))
}

// save writes the results so far.
func (s *soak) save() error {
	if s.output == "" {
		return nil
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	data, err := json.MarshalIndent(struct {
		Seed     uint64     `json:"seed"`
		Machine  string     `json:"machine"`
		Sections []*section `json:"sections"`
	}{s.seed, machine(), s.results}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.output, append(data, '\n'), 0o666)
}

// finish returns an error if there was a problem.
func (s *soak) finish() error {
	sum := 0
	for _, r := range s.results {
		for _, t := range r.Cases {
			sum += t.problems()
		}
		for _, t := range r.Fuzz {
			sum += len(t.Failures)
		}
	}
	if sum > 0 {
		return fmt.Errorf("%d problems", sum)
	}
	return s.ctx.Err()
}

// machine describes commit and machine.
func machine() string {
	commit := "of this checkout"
	if out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		commit = strings.TrimSpace(string(out))
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = []byte("unknown")
	}
	version := runtime.Version()
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.GoVersion
	}
	return fmt.Sprintf("commit %s, %s, Linux %s, %d CPUs", commit, version, strings.TrimSpace(string(kernel)), runtime.NumCPU())
}
