package proxy

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Options describe a proxy.
type Options struct {
	// Open opens a repository of a registry, both in their canonical spelling. It is
	// called only for hosts that Allowed accepts. It has our own credentials: those of
	// clients are never used.
	Open func(ctx context.Context, host, repository string) (content.Source, error)
	// Allowed reports whether clients may read from the registry at host.
	Allowed func(host string) bool
	// Connections is the number of connections for one blob; 0 is that of package
	// transfer.
	Connections int
	// Prefetch has a blob fetched to its end when its last client has gone.
	Prefetch bool
	// AnyHost has requests answered whatever their Host header says. Otherwise it must
	// be a loopback address: a web page that rebinds its own name must not get through.
	AnyHost bool
	// Logger gets one record for each request, without queries and headers; nil is none.
	Logger *slog.Logger
}

// maxSources bounds how many repositories are open.
const maxSources = 256

// Handler is the proxy as an [http.Handler].
type Handler struct {
	options Options
	cache   *Cache
	life    context.Context
	end     context.CancelFunc
	fetches fetches

	mu      sync.Mutex
	sources map[string]content.Source // by HOST/REPOSITORY
}

// New returns a proxy that keeps what it fetches in cache. It is closed by the caller.
func New(cache *Cache, options Options) *Handler {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	life, end := context.WithCancel(context.Background())
	return &Handler{
		options: options, cache: cache, life: life, end: end,
		fetches: fetches{all: map[digest.Digest]*fetch{}}, sources: map[string]content.Source{},
	}
}

// Close ends what is being fetched and waits for it. The server has been shut down.
func (h *Handler) Close() {
	h.end()
	h.fetches.run.Wait()
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	answer := &loggedAnswer{ResponseWriter: w}
	t := target{}
	defer func() {
		h.options.Logger.Info("request", "method", r.Method, "host", t.host, "repository", t.repository, "kind", t.kind,
			"reference", t.reference, "status", answer.status, "bytes", answer.bytes, "duration", time.Since(start).String())
	}()
	answer.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	if !h.options.AnyHost && !isLoopback(r.Host) {
		(&failure{http.StatusForbidden, "DENIED", "the Host header is not a loopback address"}).write(answer)
		return
	}
	if h.fixed(answer, r) {
		return
	}
	var refused *failure
	if t, refused = parseTarget(r); refused != nil {
		refused.write(answer)
		return
	}
	if !h.options.Allowed(t.host) {
		(&failure{http.StatusForbidden, "DENIED", "the proxy does not read from " + t.host}).write(answer)
		return
	}
	if r.URL.Query().Has(namespace) {
		answer.Header().Set("OCI-Namespace", t.host)
	}
	if err := h.route(answer, r, t); err != nil {
		failureOf(t.kind, err).write(answer)
	}
}

// isLoopback reports whether the Host header of a request names this machine.
func isLoopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return loopback.Is(name)
}

// source returns the repository of a request, which stays open: it knows where its
// registry is and has a token for it.
func (h *Handler) source(ctx context.Context, t target) (content.Source, error) {
	key := t.host + "/" + t.repository
	h.mu.Lock()
	s := h.sources[key]
	h.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s, err := h.options.Open(ctx, t.host, t.repository)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.sources) >= maxSources {
		clear(h.sources)
	}
	h.sources[key] = s
	return s, nil
}

// loggedAnswer notes what is answered.
type loggedAnswer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets an [http.ResponseController] find the connection.
func (a *loggedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *loggedAnswer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *loggedAnswer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}
