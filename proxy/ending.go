package proxy

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// restartTime is when a client is asked to try again that the end of the proxy has cut off: a supervisor starts the next one.
const restartTime = 5 * time.Second

// running counts what is done for clients, up to the end.
type running struct {
	mu    sync.Mutex
	ended bool
	run   sync.WaitGroup
}

// begin reports whether something may begin. It calls end.
func (r *running) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.run.Add(1) // before Wait, which must not run beside the first one
	}
	return !r.ended
}

func (r *running) end() { r.run.Done() }

// close lets nothing more begin, and waits for what has begun.
func (r *running) close() {
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.run.Wait()
}

// ending is the answer to a client whose request the end of the proxy cuts off.
func ending() *failure {
	return &failure{status: http.StatusServiceUnavailable, code: "UNAVAILABLE", retryAfter: restartTime, message: "the proxy is ending; try again later"}
}

// begin returns a context for a request that ends with the proxy too, and what ends the request. This is nil if the
// proxy has ended.
func (h *Handler) begin(ctx context.Context) (_ context.Context, ended func()) {
	if !h.running.begin() {
		return ctx, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(h.life, func() { cancel(ending()) })
	return ctx, func() {
		stop()
		cancel(nil)
		h.running.end()
	}
}

// Close ends what is done for clients and waits for it. A client that has no byte of its answer yet gets the status 503.
// The server is to be closed, too, as otherwise a request whose client neither sends nor reads may take a minute.
func (h *Handler) Close() {
	h.end()
	h.running.close() // before what its requests begin
	h.uploads.close()
	h.prepared.run.Wait() // what is prepared begins fetches
	h.fetches.run.Wait()
	h.kept.Wait()
}
