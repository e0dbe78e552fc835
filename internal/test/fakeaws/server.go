package fakeaws

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// TB is what Start needs of a *testing.T.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// maxBody bounds what is read of a request, in bytes.
const maxBody = 1 << 20

// A Server is what all the services have in common: it listens on loopback, counts and fails. A
// service that does not listen is still an http.Handler.
type Server struct {
	Counter
	// URL is "http://127.0.0.1:PORT" once the server listens.
	URL string

	name    string // for errors
	handler http.Handler
	now     func() time.Time

	mu          sync.Mutex
	addr        string
	http        *http.Server
	done        chan error    // what Serve returned
	stop        chan struct{} // closed by Close
	connections int
	faults      map[string]*Fault
}

// setup is the part of a service's constructor.
func (s *Server) setup(name string, handler http.Handler, now func() time.Time) {
	s.name, s.handler, s.now = name, handler, now
}

// Start listens on a free port of the loopback interface until the test ends.
func (s *Server) Start(t TB) {
	t.Helper()
	if err := s.Listen(); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Fatalf("%v", err)
		}
	})
}

// Listen listens on a free port of the loopback interface. After Close it listens on the same port
// again, so that a service can be down for a while.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		return fmt.Errorf("fake %s: it listens already", s.name)
	}
	addr := s.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("fake %s: %w", s.name, err)
	}
	if s.addr == "" {
		s.addr = l.Addr().String()
		s.URL = "http://" + s.addr
	}
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // of clients that went away
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.connections++
			}
		},
	}
	done := make(chan error, 1)
	s.http, s.done, s.stop = server, done, make(chan struct{})
	go func() { done <- server.Serve(l) }()
	return nil
}

// Close refuses connections from now on and ends the open ones. It may be called twice.
func (s *Server) Close() error {
	s.mu.Lock()
	server, done, stop := s.http, s.done, s.stop
	s.http = nil
	s.mu.Unlock()
	if server == nil {
		return nil
	}
	close(stop)
	err := server.Close()
	if ended := <-done; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	if err != nil {
		return fmt.Errorf("fake %s: %w", s.name, err)
	}
	return nil
}

// Connections returns how many TCP connections were made to the server.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

// Reset sets the counts of calls and connections to zero. The faults stay.
func (s *Server) Reset() {
	s.Counter.Reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections = 0
}

// stopped is closed when the server is; nil, which never is, for one that does not listen.
func (s *Server) stopped() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stop
}

// A refusal is an answer that is an error.
type refusal struct {
	status        int
	code, message string
}

func refuse(status int, code, format string, args ...any) *refusal {
	return &refusal{status, code, fmt.Sprintf(format, args...)}
}

// A shape writes a refusal as a service does.
type shape func(http.ResponseWriter, *refusal)

// call counts a call, lets it fail if a fault says so, and serves it otherwise. The body is read
// first: net/http notices only then that a client has gone.
func (s *Server) call(w http.ResponseWriter, r *http.Request, op string, fail shape, serve func(body []byte) *refusal) {
	s.add(op)
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		fail(w, refuse(http.StatusBadRequest, "BadRequest", "the request's body cannot be read, or has more than %d bytes", maxBody))
		return
	}
	if f := s.next(op); f != nil && s.apply(f, w, r, fail) {
		return
	}
	if refused := serve(body); refused != nil {
		fail(w, refused)
	}
}
