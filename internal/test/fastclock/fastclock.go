// Package fastclock is a clock for tests in which waiting takes no time.
package fastclock

import (
	"context"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// Clock goes as fast as that of the machine and jumps ahead instead of waiting. The zero value is ready for use.
type Clock struct {
	mu     sync.Mutex
	jumped time.Duration
}

var _ retry.Clock = (*Clock)(nil)

// Context returns a context whose retries do not wait.
func Context(ctx context.Context) context.Context { return retry.WithClock(ctx, &Clock{}) }

// Now implements [retry.Clock].
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.jumped)
}

// Sleep jumps ahead.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jumped += max(d, 0)
	return nil
}

// Jumped returns for how long nobody had to wait.
func (c *Clock) Jumped() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jumped
}
