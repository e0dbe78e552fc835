//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// faultKind is one way in which a call fails.
type faultKind struct {
	name  string
	fault localecr.Fault
	final bool // another try does not help
	slow  bool // if it happens always, the client goes on trying for minutes
}

// faultKinds are the faults that the local ECR can script.
func faultKinds() []faultKind {
	none, some := int64(0), int64(9)
	return []faultKind{
		{"400", localecr.Fault{Status: 400, Code: "InvalidParameterException", Message: "no"}, true, false},
		{"403", localecr.Fault{Status: 403, Code: "AccessDeniedException", Message: "no"}, true, false},
		{"404", localecr.Fault{Status: 404, Code: "NotFoundException", Message: "no"}, true, false},
		{"limit", localecr.Fault{Status: 400, Code: "LimitExceededException", Message: "no"}, true, false},
		{"400 throttled", localecr.Fault{Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}, false, true},
		{"429", localecr.Fault{Status: 429}, false, true},
		{"429 seconds", localecr.Fault{Status: 429, RetryAfter: "1"}, false, true},
		{"503 slow down", localecr.Fault{Status: 503, Code: "SlowDown", Message: "Please reduce your request rate."}, false, true},
		{"500", localecr.Fault{Status: 500}, false, false},
		{"503", localecr.Fault{Status: 503}, false, false},
		{"reset at once", localecr.Fault{ResetRequestAfter: &none}, false, false},
		{"reset request", localecr.Fault{ResetRequestAfter: &some}, false, false},
		{"lost answer", localecr.Fault{ResetResponseAfter: &none}, false, false},
		{"reset response", localecr.Fault{ResetResponseAfter: &some}, false, false},
		{"short body", localecr.Fault{ShortBody: &some}, false, false},
		{"empty body", localecr.Fault{ShortBody: &none}, false, false},
		{"wrong byte", localecr.Fault{WrongByte: &some}, true, false},
		{"stall", localecr.Fault{Stall: 90 * time.Second}, false, true},
		{"stall in answer", localecr.Fault{Stall: 90 * time.Second, StallAfter: 9}, false, true},
	}
}

// faultCase is a command that meets faults.
type faultCase struct {
	name string
	// renew makes what the command needs, in repositories whose names begin with c.repo.
	renew func(c *cell) error
	args  func(c *cell) []string
	// visible reports whether the work is to be seen, and returns an error if it is not what was asked for.
	visible func(c *cell) (bool, error)
	// reads means that the command changes nothing.
	reads bool
	// again is the error of a run after one that has done the work; "" for none.
	again string
}

// cell is a command, one operation of which fails in one way.
type cell struct {
	*site
	c     faultCase
	op    string
	kind  faultKind
	count int
	repo  string
	names []string
}

func (c *cell) String() string {
	count := map[int]string{1: "once", 3: "thrice", -1: "always"}[c.count]
	return fmt.Sprintf("%s / %s / %s / %s", c.c.name, c.op, c.kind.name, count)
}

// waits reports whether the cell takes minutes, in which nothing is computed.
func (c *cell) waits() bool {
	return c.kind.slow && c.count < 0 || c.kind.fault.Stall > 0
}

// busyCells are how many cells that compute run at a time.
const busyCells = 4

// runFaults has each operation of each command fail in each way once, thrice and always.
func runFaults(ctx context.Context, s *soak) error {
	r := s.begin("faults")
	dice := rand.New(rand.NewPCG(s.seed, 2))
	large, err := makeImage(s.work+"/large", dice, 30*kib, 11*mib)
	if err != nil {
		return err
	}
	small, err := makeImage(s.work+"/small", dice, 40*kib, 3*kib)
	if err != nil {
		return err
	}
	images := faultImages{large, small}
	var waiting, busy []*faultRun
	for _, c := range faultCases(images) {
		if !s.wants(c.name) {
			continue
		}
		t := s.tally(r, c.name)
		ops, err := s.operations(c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		for _, op := range ops {
			for _, kind := range faultKinds() {
				if kind.fault.Code == "ThrottlingException" && strings.Contains(op, " ") {
					continue // an answer of the AWS API; /v2/ and S3 have 429 and 503
				}
				for _, count := range []int{1, 3, -1} {
					f := &faultRun{t, &cell{c: c, op: op, kind: kind, count: count}}
					if f.cell.waits() {
						waiting = append(waiting, f)
					} else {
						busy = append(busy, f)
					}
				}
			}
		}
	}
	fmt.Fprintf(s.out, "faults: %d cells that compute, %d that wait\n", len(busy), len(waiting))
	slices.SortStableFunc(waiting, func(a, b *faultRun) int { return a.cell.count - b.cell.count }) // always first
	var group sync.WaitGroup
	errs := make(chan error, s.parallel+busyCells)
	for _, pool := range []struct {
		runs    []*faultRun
		workers int
	}{{waiting, s.parallel}, {busy, busyCells}} {
		queue := make(chan *faultRun)
		for range min(pool.workers, len(pool.runs)) {
			group.Go(func() { errs <- s.worker(ctx, queue) })
		}
		group.Go(func() {
			defer close(queue)
			for _, f := range pool.runs {
				select {
				case queue <- f:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	group.Wait()
	close(errs)
	for e := range errs {
		if e != nil {
			err = e
		}
	}
	if err != nil {
		return err
	}
	return s.end(r)
}

type faultRun struct {
	tally *tally
	cell  *cell
}

// worker runs cells, one after the other, on a site of its own.
func (s *soak) worker(ctx context.Context, queue <-chan *faultRun) (err error) {
	st, err := s.faultSite()
	if err != nil {
		for range queue { // so that nobody waits
		}
		return err
	}
	defer func() { err = joinClose(err, st) }()
	n := 0
	for f := range queue {
		if ctx.Err() != nil {
			continue
		}
		n++
		f.cell.site, f.cell.repo = st, fmt.Sprintf("soak%d", n)
		if err := f.cell.run(f.tally); err != nil {
			f.tally.found(wrong, "%s: %v", f.cell, err)
		}
	}
	return nil
}

func (s *soak) faultSite() (*site, error) {
	return s.site(localecr.Options{ScanTime: time.Millisecond, PreviewTime: time.Millisecond, SigningTime: time.Millisecond})
}

// operations returns the operations that a command calls, in order of the audit log.
func (s *soak) operations(fc faultCase) (ops []string, err error) {
	st, err := s.faultSite()
	if err != nil {
		return nil, err
	}
	defer func() { err = joinClose(err, st) }()
	c := &cell{site: st, c: fc, repo: "soak0"}
	if err := fc.renew(c); err != nil {
		return nil, fmt.Errorf("renew: %w", err)
	}
	st.calls.Reset()
	if err := st.must(fc.args(c)...); err != nil {
		return nil, err
	}
	for _, call := range st.calls.Calls() {
		if !slices.Contains(ops, call.Op) {
			ops = append(ops, call.Op)
		}
	}
	if seen, err := fc.visible(c); err != nil || !seen {
		return nil, fmt.Errorf("without a fault: visible %v, %w", seen, err)
	}
	return ops, nil
}

// run runs a cell: the command with the fault, then without.
func (c *cell) run(t *tally) error {
	if err := c.c.renew(c); err != nil {
		return fmt.Errorf("renew: %w", err)
	}
	fault := c.kind.fault
	fault.Op, fault.Count = c.op, c.count
	if err := c.server.SetFaults(fault); err != nil {
		return err
	}
	o, err := c.site.run(c.c.args(c)...)
	if err := c.server.SetFaults(); err != nil {
		return err
	}
	if err != nil || c.soak.ctx.Err() != nil {
		return err
	}
	t.ran(o.code != 0)
	c.judge(t, o)
	again, err := c.site.run(c.c.args(c)...)
	if err != nil || c.soak.ctx.Err() != nil {
		return err
	}
	if again.code != 0 && (c.c.again == "" || !strings.Contains(again.stderr, c.c.again)) {
		t.found(wrong, "%s: the run after the fault: exit code %d: %s", c, again.code, again)
	}
	if seen, err := c.c.visible(c); err != nil || !seen {
		t.found(wrong, "%s: the run after the fault: visible %v: %v", c, seen, err)
	}
	if found := c.leftovers(c.names...); len(found) > 0 {
		t.found(left, "%s: %s", c, strings.Join(found, " "))
	}
	for _, dir := range []string{c.path("out"), c.path("tmp"), c.path("home", ".local")} { // so that it is counted once
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return errors.Join(os.Mkdir(c.path("out"), 0o700), os.Mkdir(c.path("tmp"), 0o700))
}

// judge looks at how the run with the fault ended.
func (c *cell) judge(t *tally, o outcome) {
	seen, err := c.c.visible(c)
	switch {
	case o.hung:
		t.found(hang, "%s: %.0f s: %s", c, o.seconds, o)
	case err != nil:
		t.found(wrong, "%s: %v", c, err)
	case o.code == 0 && !seen:
		t.found(lost, "%s: exit code 0, but nothing is to be seen: %s", c, o)
	}
	if o.code == 0 || o.hung {
		return
	}
	if c.count > 0 && !c.kind.final {
		t.found(gaveUp, "%s: exit code %d after %.0f s: %s", c, o.code, o.seconds, o)
	}
	// Where answers get lost, the work may be done for all that.
	if seen && !c.c.reads && !c.mayBeDone() {
		t.found(wrong, "%s: exit code %d, but the work is to be seen: %s", c, o.code, o)
	}
	if why := unclearError(o, c.kind, []string{c.repo, "sha256:", "alias/ecrkit-p256", c.server.Registry, "000000000000/us-east-1"}); why != "" {
		t.found(unclear, "%s: %s: exit code %d: %s", c, why, o.code, o)
	}
}

// mayBeDone reports whether the operation that failed is one that changes something, or one after it.
func (c *cell) mayBeDone() bool {
	for _, prefix := range []string{"Put", "Create", "Set", "PUT", "Start", "Tag", "Describe", "Get", "List", "Batch"} {
		if strings.HasPrefix(c.op, prefix) && (c.kind.fault.Status == 0 || c.c.name != "push") {
			return true
		}
	}
	return false
}

// unclearError returns what is wrong with an error message, or "".
func unclearError(o outcome, kind faultKind, objects []string) string {
	var errs []string
	for line := range strings.Lines(o.stderr) {
		if strings.HasPrefix(line, "ecrkit: ") {
			errs = append(errs, line)
		}
	}
	switch {
	case o.code == 2 || o.code < 0 || o.code > 5:
		return "wrong exit code"
	case o.code == 4 && kind.fault.WrongByte == nil && kind.fault.ShortBody == nil:
		return "exit code of damaged content"
	case len(errs) != 1:
		return fmt.Sprintf("%d lines of error", len(errs))
	case len(errs[0]) > 900:
		return "very long"
	case !slices.ContainsFunc(objects, func(object string) bool { return strings.Contains(errs[0], object) }):
		return "names no object"
	}
	for _, secret := range []string{"X-Amz-", "Signature=", "AKIA", "Credential=", "goroutine ", "0xc0", "%!"} {
		if strings.Contains(o.stderr, secret) {
			return "has " + secret
		}
	}
	return ""
}
