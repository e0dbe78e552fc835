package ranges

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrStalled says that a connection brought nothing for too long.
var ErrStalled = errors.New("the connection brought nothing for too long")

const (
	// stallAlone is how long a request may bring nothing at all.
	stallAlone = 30 * time.Second
	// stallBeside is how long it may do so while others bring bytes, or if all others
	// have ended since: then the network is well and it is this connection that hangs.
	stallBeside = 2 * time.Second
)

// watchdog ends the requests of one blob that have stalled.
type watchdog struct {
	ticker *time.Ticker
	ended  chan struct{}

	mu       sync.Mutex
	latest   time.Time // when any request brought bytes
	requests map[*request]struct{}
}

type request struct {
	dog      *watchdog
	latest   time.Time // when it began or brought bytes; the zero time while it waits for its turn
	cancel   context.CancelCauseFunc
	repeated bool
}

func newWatchdog() *watchdog {
	w := &watchdog{
		ticker:   time.NewTicker(stallBeside / 4),
		ended:    make(chan struct{}),
		requests: map[*request]struct{}{},
	}
	go func() {
		for {
			select {
			case <-w.ticker.C:
				w.check(time.Now())
			case <-w.ended:
				return
			}
		}
	}()
	return w
}

func (w *watchdog) stop() {
	w.ticker.Stop()
	close(w.ended)
}

func (w *watchdog) check(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	beside := now.Sub(w.latest) < stallBeside/2
	for r := range w.requests {
		left := len(w.requests) == 1 && w.latest.After(r.latest)
		if idle := now.Sub(r.latest); !r.latest.IsZero() && (idle >= stallAlone || (beside || left) && idle >= stallBeside) {
			r.cancel(ErrStalled)
		}
	}
}

func (w *watchdog) add(cancel context.CancelCauseFunc) *request {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &request{dog: w, cancel: cancel}
	w.requests[r] = struct{}{}
	return r
}

// begin says that r may stall from now on.
func (w *watchdog) begin(r *request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.latest = time.Now()
}

// pause says that r waits for our own side.
func (w *watchdog) pause(r *request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.latest = time.Time{}
}

func (w *watchdog) remove(r *request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.requests, r)
}

// progress says that r brought n bytes.
func (w *watchdog) progress(r *request, n int) {
	if n == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	r.latest = time.Now()
	w.latest = r.latest
}
