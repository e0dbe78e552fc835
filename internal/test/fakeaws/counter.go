package fakeaws

import (
	"context"
	"fmt"
	"maps"
	"sync"
)

// A Counter counts the calls of a service by operation. The zero value is ready for use.
type Counter struct {
	mu      sync.Mutex
	calls   map[string]int
	changed chan struct{} // closed at the next call
}

// Calls returns how often each operation was called. What a service does not know is counted as
// METHOD PATH, or by its action or target. A call counts when it arrives, not when it is answered.
func (c *Counter) Calls() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := maps.Clone(c.calls)
	if out == nil {
		out = map[string]int{}
	}
	return out
}

// Count returns how often one operation was called.
func (c *Counter) Count(op string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[op]
}

// Total returns how many calls there were.
func (c *Counter) Total() int {
	n := 0
	for _, calls := range c.Calls() {
		n += calls
	}
	return n
}

// Wait waits until an operation was called n times or more. The error is that of the context.
func (c *Counter) Wait(ctx context.Context, op string, n int) error {
	for {
		c.mu.Lock()
		calls := c.calls[op]
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		if calls >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d calls of %s: %w", calls, n, op, context.Cause(ctx))
		}
	}
}

// Reset sets the counts to zero.
func (c *Counter) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = nil
}

func (c *Counter) add(op string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[string]int{}
	}
	c.calls[op]++
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}
