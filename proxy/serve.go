package proxy

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// drainTime is how long answers may take after the server was asked to end.
	drainTime = 30 * time.Second
	// idleTime is how long a connection stays open then on which no request comes: one that is on its way would be lost.
	idleTime = time.Second
	// cutTime is how long clients may take after that to read that the proxy is ending.
	cutTime = 2 * time.Second
)

// Serve answers the connections of listeners until ctx ends, and then finishes: it accepts no more connections, closes
// each after its next answer, and waits for answers up to 30 seconds. Clients that have no byte of theirs by then get the
// status 503; the others are cut off. It closes the listeners. The handler is to be closed after it.
func (h *Handler) Serve(ctx context.Context, listeners ...net.Listener) error {
	open := connections{idle: map[net.Conn]time.Time{}, changed: make(chan struct{}, 1)}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ConnState: open.note, ErrorLog: slog.NewLogLogger(h.options.Logger.Handler(), slog.LevelWarn)}
	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { ended <- server.Serve(l) }()
	}
	select {
	case err := <-ended:
		_ = server.Close() // err is what is wrong
		return err
	case <-ctx.Done():
	}
	h.draining.Store(true)
	for _, l := range listeners {
		_ = l.Close() // as it ends, nobody is to connect any more
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	open.wait(ctx)
	if server.Shutdown(ctx) == nil {
		return nil
	}
	h.end()
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cutTime)
	defer cancel()
	if server.Shutdown(ctx) == nil {
		return nil
	}
	return server.Close()
}

// connections are those that are open.
type connections struct {
	mu      sync.Mutex
	idle    map[net.Conn]time.Time // since when no request has come; the zero time while one is answered
	changed chan struct{}          // has an element after a change
}

// note follows a connection, see [http.Server.ConnState].
func (c *connections) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew, http.StateIdle:
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

// left returns how long the first of them may still get a request; 0 if all have been idle for long enough, and a
// negative time if one is busy.
func (c *connections) left() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var left time.Duration
	for _, since := range c.idle {
		if since.IsZero() {
			return -1
		}
		left = max(left, idleTime-time.Since(since))
	}
	return left
}

// wait waits until no request is answered and none has come for a while, or ctx ends.
func (c *connections) wait(ctx context.Context) {
	for {
		left := c.left()
		if left == 0 {
			return
		}
		var quiet <-chan time.Time
		if left > 0 {
			quiet = time.After(left)
		}
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
		case <-quiet:
		}
	}
}
