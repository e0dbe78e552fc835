package retry

import (
	"context"
	"time"
)

// Clock is the time by which calls are paced and retried.
type Clock interface {
	Now() time.Time
	// Sleep waits for d or until the context ends, and then returns its error.
	Sleep(ctx context.Context, d time.Duration) error
}

// System is the clock of this machine.
type System struct{}

// Now implements [Clock].
func (System) Now() time.Time { return time.Now() }

// Sleep implements [Clock].
func (System) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type clockKey struct{}

// WithClock returns a context whose retries go by clock, in whatever package they are made.
func WithClock(ctx context.Context, clock Clock) context.Context {
	return context.WithValue(ctx, clockKey{}, clock)
}

// ClockOf returns the clock of a context; without one that is [System].
func ClockOf(ctx context.Context) Clock {
	if clock, ok := ctx.Value(clockKey{}).(Clock); ok {
		return clock
	}
	return System{}
}
