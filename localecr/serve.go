package localecr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/openconns"
	"github.com/ecrkit/ecrkit/localecr/internal/hostname"
	"github.com/ecrkit/ecrkit/localecr/internal/shaping"
)

// A NetworkShape is the round-trip time and the rate of connections. The zero value leaves them as they are.
type NetworkShape struct {
	// Latency is the round-trip time; each direction takes half of it. A new connection costs one round trip more, as
	// TCP's handshake does.
	Latency time.Duration
	// Rate is in bytes per second, for each direction of each connection; 0 means unlimited.
	Rate int64
}

// A TB is what [Server.Start] needs of a *testing.T, *testing.B or testing.TB.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

const (
	// shutdownTime is how long requests may take to end when a server stops.
	shutdownTime = 5 * time.Second
	// idleTime is how long a connection stays open then on which no request comes: one that is on its way would be lost.
	idleTime = 250 * time.Millisecond
)

// Start serves on two free ports of the loopback interface until the test ends, and closes the server then.
func (s *Server) Start(t TB) {
	t.Helper()
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatalf("local ECR: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx) }()
	t.Cleanup(func() {
		defer cancel()
		closeErr := s.Close() // at once: the test sends nothing more
		err := <-done
		if errors.Is(err, http.ErrServerClosed) { // the test has closed it
			err = nil
		}
		if err := errors.Join(err, closeErr); err != nil {
			t.Fatalf("local ECR: %v", err)
		}
	})
}

// A Listener is where a server listens: for the AWS API and /v2/ on one port, for downloads on another. The server's
// Close closes it.
type Listener struct {
	server    *Server
	registry  net.Listener
	downloads net.Listener // nil: on the same port
}

// Listen listens on addr, HOST:PORT with port 0 for a free one, and for downloads as Options.DownloadAddr says, and sets the server's URL and Registry. [Listener.Serve] answers.
func (s *Server) Listen(addr string) (*Listener, error) {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.closed {
		return nil, errClosed
	}
	registry, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("local ECR: %w", err)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, errors.Join(err, registry.Close())
	}
	s.downloads = registry.Addr()
	var downloads net.Listener
	if s.downloadAddr != SamePort {
		downloads, err = net.Listen("tcp", cmp.Or(s.downloadAddr, net.JoinHostPort(host, "0")))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("local ECR downloads: %w", err), registry.Close())
		}
		s.downloads = downloads.Addr()
	}
	s.bound = registry.Addr()
	s.Registry = hostname.Reachable(s.bound)
	s.URL = s.scheme() + "://" + s.Registry
	l := &Listener{server: s, registry: s.shaped(registry)}
	if downloads != nil {
		l.downloads = s.shaped(downloads)
	}
	s.listeners = append(s.listeners, l)
	return l, nil
}

// shaped returns a listener whose connections have the server's shape, and TLS if it has certificates.
func (s *Server) shaped(l net.Listener) net.Listener {
	l = shaping.Listener(l, shaping.Shape(s.shape))
	if s.authority != nil {
		l = s.authority.Listen(l)
	}
	return l
}

// Serve answers until the context ends or the server is closed, and then waits a few seconds for running requests. When the
// context ends, each open connection is closed after its next answer: no request that is on its way is lost.
func (l *Listener) Serve(ctx context.Context) error {
	s := l.server
	if !s.begin() {
		return errClosed
	}
	defer s.running.Done()
	open, ending := openconns.New(), atomic.Bool{}
	newServer := func(h http.Handler) *http.Server {
		return &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if ending.Load() {
					w.Header().Set("Connection", "close")
				}
				h.ServeHTTP(w, r)
			}),
			ReadHeaderTimeout: 30 * time.Second,
			ErrorLog:          slogErrors(s.logger),
			ConnState:         open.Note,
			ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		}
	}
	registry := newServer(s)
	servers, ended := []*http.Server{registry}, make(chan error, 2)
	go func() { ended <- registry.Serve(l.registry) }()
	if l.downloads != nil {
		downloads := newServer(http.HandlerFunc(s.serveDownloads))
		servers = append(servers, downloads)
		go func() { ended <- downloads.Serve(l.downloads) }()
	}
	var errs []error
	left := len(servers)
	select {
	case err := <-ended:
		errs, left = append(errs, err), left-1
	case <-ctx.Done():
		ending.Store(true)
	case <-s.stop:
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if ending.Load() {
		_ = l.registry.Close() // as it ends, nobody is to connect any more
		if l.downloads != nil {
			_ = l.downloads.Close()
		}
		open.Wait(stop, idleTime)
	}
	open.CloseUnused()
	for _, server := range servers {
		if err := server.Shutdown(stop); err != nil {
			errs = append(errs, server.Close())
		}
	}
	for range left {
		errs = append(errs, <-ended)
	}
	var out error
	for _, err := range errs {
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			out = errors.Join(out, fmt.Errorf("local ECR: %w", err))
		}
	}
	return out
}

// errClosed is the error of a server that was closed.
var errClosed = fmt.Errorf("local ECR: %w", http.ErrServerClosed)

// begin reports whether the server is open. If it is, Close waits for the caller's s.running.Done.
func (s *Server) begin() bool {
	s.closing.Lock()
	defer s.closing.Unlock()
	if !s.closed {
		s.running.Add(1)
	}
	return !s.closed
}

// Close ends what Listen and Serve have begun, closes the store, and removes it if it was a temporary one. Requests
// that came by other means must have ended. Further calls return the result of the first.
func (s *Server) Close() error { return s.close() }

func (s *Server) closeOnce() error {
	s.closing.Lock()
	s.closed = true
	s.closing.Unlock()
	close(s.stop)
	s.running.Wait()
	for _, l := range s.listeners {
		_ = l.registry.Close() // fails only for those that Serve has closed
		if l.downloads != nil {
			_ = l.downloads.Close() // likewise
		}
	}
	err := s.store.Close()
	if s.temporary {
		err = errors.Join(err, files.RemoveAll(s.dir))
	}
	return err
}

// slogErrors passes on what net/http has to say: mostly of clients that went away.
func slogErrors(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelDebug) }
