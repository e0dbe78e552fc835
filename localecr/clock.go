package localecr

import (
	"sync"
	"time"
)

// A Clock is the time of a server, which may differ from the machine's and be set while the server runs: tokens,
// pre-signed URLs, temporary keys, uploads and layers without an image expire by it, and every time in an answer is
// taken from it. The zero value is the machine's time.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
}

// Now returns the time of the server.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

// Advance moves the clock by d, which may be negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// Set sets the clock to t. It runs on from there.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = time.Until(t)
}
