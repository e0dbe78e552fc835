// Package openconns lets an HTTP server end without losing a request that is on its way over an open connection.
package openconns

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Connections are those of one or several servers.
type Connections struct {
	mu      sync.Mutex
	idle    map[net.Conn]time.Time // since when no request has come; the zero time while one is answered
	unused  map[net.Conn]bool      // without a byte so far
	closed  bool                   // those that send none are closed
	changed chan struct{}          // has an element after a change
}

// New returns no connections.
func New() *Connections {
	return &Connections{idle: map[net.Conn]time.Time{}, unused: map[net.Conn]bool{}, changed: make(chan struct{}, 1)}
}

// Note follows a connection, see [http.Server.ConnState].
func (c *Connections) Note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.unused, conn)
	switch state {
	case http.StateNew:
		if c.closed {
			_ = conn.Close() // nothing was sent on it
			return
		}
		c.unused[conn] = true
		c.idle[conn] = time.Now()
	case http.StateIdle:
		c.idle[conn] = time.Now()
	case http.StateActive:
		c.idle[conn] = time.Time{}
	default:
		delete(c.idle, conn)
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// Wait waits until no request is answered and none has come for so long, or ctx ends.
func (c *Connections) Wait(ctx context.Context, quiet time.Duration) {
	for {
		left := c.left(quiet)
		if left == 0 {
			return
		}
		var over <-chan time.Time
		if left > 0 {
			over = time.After(left)
		}
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
		case <-over:
		}
	}
}

// left returns how long the first of them may still get a request; 0 if all have been idle for long enough, and a
// negative time if one is busy.
func (c *Connections) left(quiet time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var left time.Duration
	for _, since := range c.idle {
		if since.IsZero() {
			return -1
		}
		left = max(left, quiet-time.Since(since))
	}
	return left
}

// CloseUnused closes the connections without a byte so far, from now on: [http.Server.Shutdown] would wait seconds
// for each of them.
func (c *Connections) CloseUnused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for conn := range c.unused {
		_ = conn.Close() // nothing was sent on it
	}
}
