package pace

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// watching is a [retry.Watch] that notes until when calls wait.
type watching struct {
	mu    sync.Mutex
	waits map[any]time.Time
	gone  int // given up
}

func (w *watching) Waits(key any, _ retry.Verdict, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits[key] = until
}

func (w *watching) Ended(key any, v retry.Verdict, _ time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v == retry.Throttled {
		w.gone++
	}
	delete(w.waits, key)
}

func (w *watching) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waits)
}

// TestWatch has a service name the time of the next call while some wait for their turn: all of them are known to wait
// for it, and those that come later. Calls that only keep to the rate are not.
func TestWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, w := NewBucket(clock{}, 1), &watching{waits: map[any]time.Time{}}
		ctx := retry.WithWatch(t.Context(), w)
		var group sync.WaitGroup
		call := func() {
			if _, err := b.Wait(ctx); err != nil {
				t.Error(err)
			}
		}
		call()
		for range 3 {
			group.Go(call)
		}
		synctest.Wait()
		if n := w.count(); n != 0 {
			t.Errorf("%d calls wait for their rate", n)
		}
		b.Done(time.Now(), Throttled, time.Now().Add(5*time.Minute))
		group.Go(call)
		time.Sleep(2 * time.Second) // the one whose turn it is looks again
		synctest.Wait()
		if n := w.count(); n != 4 {
			t.Errorf("%d of 4 calls are known to wait", n)
		}
		w.mu.Lock()
		for _, until := range w.waits {
			if left := time.Until(until); left < 4*time.Minute {
				t.Errorf("a call waits for %s", left)
			}
		}
		w.mu.Unlock()
		group.Wait()
		if n := w.count(); n != 0 {
			t.Errorf("%d calls wait at the end", n)
		}
		b.Done(time.Now(), Throttled, time.Now().Add(time.Hour))
		if _, err := b.Wait(ctx); err == nil || w.gone != 1 || w.count() > 0 {
			t.Errorf("%v: %d calls are given up, %d wait", err, w.gone, w.count())
		}
	})
}
