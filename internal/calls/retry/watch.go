package retry

import (
	"context"
	"time"
)

// Watch is told which of the requests with its context wait because a service refuses them. It is called by several
// goroutines.
type Watch interface {
	// Waits says that a request, of which key is comparable, was refused or is not wanted yet. It is sent again at until.
	Waits(key any, v Verdict, until time.Time)
	// Ended says that a request waits no more: v is [Final] if it was accepted or refused for good. Otherwise it is given up,
	// perhaps after one refusal, and would be sent again at until.
	Ended(key any, v Verdict, until time.Time)
}

type watchKey struct{}

// WithWatch returns a context whose requests w is told of.
func WithWatch(ctx context.Context, w Watch) context.Context {
	return context.WithValue(ctx, watchKey{}, w)
}

// WatchOf returns the watch of a context; nil if it has none.
func WatchOf(ctx context.Context) Watch {
	w, _ := ctx.Value(watchKey{}).(Watch)
	return w
}

// tell tells the watch of a context what became of a try.
func (t *Tries) tell(ctx context.Context, v Verdict, again bool) {
	switch w := WatchOf(ctx); {
	case w == nil:
	case v == Final:
		t.End()
	case !again:
		t.watch = nil
		w.Ended(t, v, t.next)
	case v == Throttled, v == Transient, v == Unreachable:
		t.watch = w
		w.Waits(t, v, t.next)
	}
}

// End says that there are no more tries. It is for callers whose last one [Tries.Again] does not see.
func (t *Tries) End() {
	if t.watch != nil {
		t.watch.Ended(t, Final, time.Time{})
		t.watch = nil
	}
}
