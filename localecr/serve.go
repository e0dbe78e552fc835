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
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
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

// shutdownTime is how long requests may take to end when a server stops.
const shutdownTime = 5 * time.Second

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
		cancel()
		err := <-done
		if errors.Is(err, http.ErrServerClosed) { // the test has closed it
			err = nil
		}
		if err := errors.Join(err, s.Close()); err != nil {
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

// Serve answers until the context ends or the server is closed, and then waits a few seconds for running requests.
func (l *Listener) Serve(ctx context.Context) error {
	s := l.server
	if !s.begin() {
		return errClosed
	}
	defer s.running.Done()
	var unused unusedConns
	newServer := func(h http.Handler) *http.Server {
		return &http.Server{
			Handler:           h,
			ReadHeaderTimeout: 30 * time.Second,
			ErrorLog:          slogErrors(s.logger),
			ConnState:         unused.note,
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
	case <-s.stop:
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	unused.close()
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
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
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

// unusedConns are the connections that have not sent a byte: a server that shuts down would wait
// seconds for each of them.
type unusedConns struct {
	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
}

func (u *unusedConns) note(c net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(u.conns, c)
	case u.closed:
		_ = c.Close() // nothing was sent on it
	default:
		if u.conns == nil {
			u.conns = map[net.Conn]bool{}
		}
		u.conns[c] = true
	}
}

func (u *unusedConns) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	for c := range u.conns {
		_ = c.Close() // nothing was sent on it
	}
}

// slogErrors passes on what net/http has to say: mostly of clients that went away.
func slogErrors(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelDebug) }
