package doctor

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// hanging is a check that never ends.
type hanging struct{}

func (hanging) Run(context.Context, *Session) Finding { select {} }

// slow ends with its context.
type slow struct{}

func (slow) Run(ctx context.Context, _ *Session) Finding {
	<-ctx.Done()
	return failed("no answer")
}

// works takes as long as it may, and succeeds.
type works struct{ d time.Duration }

func (w works) Run(context.Context, *Session) Finding {
	time.Sleep(w.d)
	return ok("")
}

// TestRunIsBounded replaces each check by one that never ends, and by one that takes all
// of its time: the whole takes at most 10 seconds, and nothing is missing.
func TestRunIsBounded(t *testing.T) {
	for name, replace := range map[string]func(e *entry){
		"works": func(e *entry) { e.check = works{e.limit - time.Millisecond} },
		"slow":  func(e *entry) { e.check = slow{} },
	} {
		synctest.Test(t, func(t *testing.T) {
			entries := checks()
			for i := range entries {
				replace(&entries[i])
			}
			var waited atomic.Int32
			s := New(Options{Waiting: func(_ string, left time.Duration) {
				if left <= 0 {
					t.Errorf("%s: nothing is left to wait for", name)
				}
				waited.Add(1)
			}}, Subject{})
			began := time.Now()
			var ids []string
			s.run(t.Context(), entries, func(r Result) { ids = append(ids, r.ID) })
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("%s: took %v", name, took)
			}
			for i, e := range entries {
				if i >= len(ids) || ids[i] != e.id {
					t.Fatalf("%s: results %v", name, ids)
				}
			}
			if waited.Load() == 0 {
				t.Errorf("%s: nothing says what is waited for", name)
			}
			time.Sleep(time.Minute) // until the checks that were given up have ended
		})
	}
}

// A check that does not end by itself is reported all the same.
func TestRunEndsWithoutCheck(t *testing.T) {
	results := New(Options{}, Subject{}).run(t.Context(), []entry{
		{id: "a", limit: time.Millisecond, check: hanging{}},
		{id: "b", limit: time.Minute, check: works{}, needs: []string{"a"}},
		{id: "c", limit: time.Minute, check: works{}, needs: []string{"b"}},
		{id: "d", limit: time.Minute, check: works{}, after: []string{"a"}},
	}, func(Result) {})
	var got []string
	for _, r := range results {
		got = append(got, string(r.Status)+" "+r.Found)
	}
	want := []string{"failed no answer within 1ms", "skipped not checked: a failed", "skipped not checked: a failed", "ok "}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestChecksAreInOrder reads the plan: what a check waits for comes before it.
func TestChecksAreInOrder(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range checks() {
		for _, id := range slices.Concat(e.needs, e.after) {
			if !seen[id] {
				t.Errorf("%s waits for %s, which comes after it", e.id, id)
			}
		}
		if seen[e.id] {
			t.Errorf("%s twice", e.id)
		}
		seen[e.id] = true
	}
}
