package transfer

import (
	"testing"
	"time"
)

// retryCounter is an endpoint that counts.
type retryCounter struct{ retries int }

func (c *retryCounter) Requests() (map[string]int, int) { return nil, c.retries }

func TestConnections(t *testing.T) {
	endpoint := &retryCounter{retries: 5} // of an earlier copy
	now := time.Unix(0, 0)
	c := newConnections(16, func() time.Time { return now }, endpoint)
	use := func(n int) (got int) {
		for range n {
			if c.free.TryAcquire(1) {
				c.used++
				got++
			}
		}
		return got
	}
	give := func(n int) {
		for range n {
			c.Release(1)
		}
	}
	if got := use(20); got != 16 {
		t.Fatalf("%d connections, want 16", got)
	}
	give(8) // eight are left in use

	// Retries: half of those in use.
	now = now.Add(time.Minute)
	endpoint.retries++
	give(1)
	if c.limit != 4 {
		t.Fatalf("limit %d, want 4", c.limit)
	}
	if got := use(1); got != 0 {
		t.Error("a connection beyond the limit")
	}
	// What was sent before does not lower it once more.
	endpoint.retries++
	give(1)
	if c.limit != 4 {
		t.Fatalf("limit %d, want 4", c.limit)
	}
	give(6)
	if got := use(20); got != c.limit {
		t.Fatalf("%d connections with the limit %d", got, c.limit)
	}
	give(c.used)

	// Without retries it rises again, a connection a round, up to where it began.
	for range 1000 {
		use(1)
		give(1)
	}
	if c.limit != 16 {
		t.Errorf("limit %d, want 16", c.limit)
	}
	if got := use(20); got != 16 {
		t.Fatalf("%d connections, want 16", got)
	}
	// One is always left.
	for range 10 {
		now = now.Add(time.Minute)
		endpoint.retries++
		give(1)
	}
	if c.limit != 1 {
		t.Errorf("limit %d, want 1", c.limit)
	}
}
