package proxy

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/ecrkit/ecrkit/internal/openconns"
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
	open := openconns.New()
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ConnState: open.Note, ErrorLog: slog.NewLogLogger(h.options.Logger.Handler(), slog.LevelWarn)}
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
	open.Wait(ctx, idleTime)
	open.CloseUnused()
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
