package transfer

import (
	"cmp"
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// What [Options] mean by 0.
const (
	defaultLayers         = 4
	defaultConnections    = 8  // for one blob, or four for each processor if that is less
	defaultAllConnections = 16 // of the whole copy
)

// connections is over how many connections one blob moves.
func (o *Options) connections() int {
	return cmp.Or(max(o.Connections, 0), min(defaultConnections, 4*runtime.GOMAXPROCS(0)))
}

// connections are slots of which fewer are given out for some time after requests
// had to be retried: a server that refuses or resets some of many connections
// may serve all of fewer.
type connections struct {
	free    *semaphore.Weighted
	retries func() int // requests that were retried so far
	now     func() time.Time

	mu      sync.Mutex
	limit   int // slots that are given out
	most    int // what limit is at first
	used    int
	owed    int // slots in use that are to be kept back when they are released
	seen    int // retries
	lowered time.Time
	good    int // releases since then, or since the limit was raised
}

// lowerAgain is how long the limit stays before it is lowered again: what was sent
// before it was lowered says nothing of it.
const lowerAgain = time.Second

// newConnections returns n slots for requests to the endpoints.
func newConnections(n int, now func() time.Time, endpoints ...any) *connections {
	c := &connections{free: semaphore.NewWeighted(int64(n)), limit: n, most: n, now: now}
	c.retries = func() (sum int) {
		for _, e := range endpoints {
			if counter, ok := e.(content.RequestCounter); ok {
				_, retries := counter.Requests()
				sum += retries
			}
		}
		return sum
	}
	c.seen = c.retries()
	return c
}

// Acquire waits for n slots.
func (c *connections) Acquire(ctx context.Context, n int64) error {
	if err := c.free.Acquire(ctx, n); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used += int(n)
	return nil
}

// Release returns n slots back, and looks how things went.
func (c *connections) Release(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.adapt()
	c.used -= int(n)
	kept := min(c.owed, int(n))
	c.owed -= kept
	if back := n - int64(kept); back > 0 {
		c.free.Release(back)
	}
}

// adapt halves the connections in use after retries, and adds one after each round
// without any.
func (c *connections) adapt() {
	retries := c.retries()
	if retries > c.seen {
		c.seen, c.good = retries, 0
		now := c.now()
		lower := max(1, min(c.limit, c.used)/2)
		if now.Sub(c.lowered) >= lowerAgain && lower < c.limit {
			// Those that nobody uses can be kept back at once.
			cut := c.limit - lower
			for c.owed += cut; c.owed > 0 && c.free.TryAcquire(1); {
				c.owed--
			}
			c.limit, c.lowered = lower, now
		}
		return
	}
	if c.good++; c.good >= c.limit && c.limit < c.most {
		c.good = 0
		c.limit++
		if c.owed > 0 {
			c.owed--
		} else {
			c.free.Release(1)
		}
	}
}
