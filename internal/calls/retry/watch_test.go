package retry

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// watching is a [Watch] that notes what waits.
type watching struct {
	mu    sync.Mutex
	waits map[any]time.Time
	ended []Verdict
	said  int
}

func (w *watching) Waits(key any, _ Verdict, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits[key] = until
	w.said++
}

func (w *watching) Ended(key any, v Verdict, _ time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waits, key)
	w.ended = append(w.ended, v)
}

// late is throttled until a time that is too far away.
type late struct{}

func (late) Error() string { return "tomorrow" }

func (late) Verdict() (Verdict, time.Time) { return Throttled, time.Now().Add(24 * time.Hour) }

// TestWatch has requests refused: their watch is told of each refusal, and of the end.
func TestWatch(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		errs []error // of the tries, the last again and again
		said int
		end  []Verdict
	}{
		"accepted":            {[]error{nil}, 0, nil},
		"refused for good":    {[]error{permanent{errors.New("no")}}, 0, nil},
		"accepted at last":    {[]error{throttled{errors.New("slower")}, errors.New("reset"), nil}, 2, []Verdict{Final}},
		"refused at last":     {[]error{errors.New("reset"), permanent{errors.New("no")}}, 1, []Verdict{Final}},
		"wanted too late":     {[]error{late{}}, 0, []Verdict{Throttled}},
		"given up, transient": {[]error{errors.New("reset")}, 7, []Verdict{Transient}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &watching{waits: map[any]time.Time{}}
				tries := 0
				_ = Do(WithWatch(t.Context(), w), Default(), func(context.Context) error {
					tries++
					if tries > 1 && len(w.waits) != 1 {
						t.Errorf("try %d: %d requests wait", tries, len(w.waits))
					}
					return tt.errs[min(tries, len(tt.errs))-1]
				})
				if w.said != tt.said || len(w.waits) > 0 || len(w.ended) != len(tt.end) {
					t.Fatalf("%d refusals, %v wait, ended: %v; want %d, %v", w.said, w.waits, w.ended, tt.said, tt.end)
				}
				for i, v := range tt.end {
					if w.ended[i] != v {
						t.Errorf("ended with %v, want %v", w.ended, tt.end)
					}
				}
			})
		})
	}
}

// TestWatchProgress has a request that goes on after a failure wait no more.
func TestWatchProgress(t *testing.T) {
	t.Parallel()
	w := &watching{waits: map[any]time.Time{}}
	tries := New(Default())
	if !tries.Again(WithWatch(t.Context(), w), Transient, time.Time{}) || len(w.waits) != 1 {
		t.Errorf("%v wait", w.waits)
	}
	if tries.Progress(); len(w.waits) > 0 {
		t.Errorf("%v wait", w.waits)
	}
}
