package ranges

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrStalled is the error of a request that brought nothing for too long.
var ErrStalled = errors.New("the connection brought nothing for too long")

const (
	// stallAlone is how long a request may bring nothing at all.
	stallAlone = 30 * time.Second
	// stallBeside is how long it may do so at first while others bring bytes, or if all
	// others have ended since: then it is mostly this connection that hangs. The limit
	// doubles up to stallAlone when a request is ended for it: over a slow link each
	// waits for the others.
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

// request is one request for a range.
type request struct {
	dog    *watchdog
	latest time.Time     // when it began or brought bytes; the zero time while it waits for its turn
	idle   time.Duration // how long it may bring nothing beside others
	opened bool          // its body is being read
	cancel context.CancelCauseFunc
}

// requestKey is where the context of a [content.RangeOpener] has its request.
type requestKey struct{}

// Sending marks that a [content.RangeOpener] sends its request now, which may stall from now on
// until sent is called. Without it a request is only watched once it is open, as it may
// wait for its turn.
func Sending(ctx context.Context) (sent func()) {
	r, _ := ctx.Value(requestKey{}).(*request)
	if r == nil {
		return func() {}
	}
	r.dog.begin(r)
	return func() { r.dog.pause(r) }
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
	for r := range w.requests {
		beside := now.Sub(w.latest) < r.idle/2
		left := len(w.requests) == 1 && w.latest.After(r.latest)
		if idle := now.Sub(r.latest); !r.latest.IsZero() && (idle >= stallAlone || (beside || left) && idle >= r.idle) {
			r.cancel(ErrStalled)
		}
	}
}

func (w *watchdog) add(cancel context.CancelCauseFunc, idle time.Duration) *request {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &request{dog: w, cancel: cancel, idle: idle}
	w.requests[r] = struct{}{}
	return r
}

// open marks that the body of r is read from now on, and may stall.
func (w *watchdog) open(r *request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.latest, r.opened = time.Now(), true
}

// begin marks that r may stall from now on.
func (w *watchdog) begin(r *request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.latest = time.Now()
}

// pause marks that r waits for our own side, unless its body is being read: a body may send a request for more of itself.
func (w *watchdog) pause(r *request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.latest = (time.Time{}); r.opened {
		r.latest = time.Now()
	}
}

func (w *watchdog) remove(r *request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.requests, r)
}

// progress notes that r brought n bytes.
func (w *watchdog) progress(r *request, n int) {
	if n == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	r.latest = time.Now()
	w.latest = r.latest
}
