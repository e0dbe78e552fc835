package fakeaws

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

// Attempt is the operation that a [BlackHole] counts.
const Attempt = "attempt"

// A BlackHole accepts connections and never reads nor answers: an instance metadata service that is
// not there, behind a firewall that does not say so.
type BlackHole struct {
	Counter
	// URL is "http://127.0.0.1:PORT" once it listens.
	URL string

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
	done     chan struct{}
}

// NewBlackHole makes a black hole.
func NewBlackHole() *BlackHole { return &BlackHole{} }

// Start listens on a free port of the loopback interface until the test ends.
func (b *BlackHole) Start(t TB) {
	t.Helper()
	if err := b.Listen(); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Fatalf("%v", err)
		}
	})
}

// Listen listens on a free port of the loopback interface, once.
func (b *BlackHole) Listen() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listener != nil {
		return errors.New("black hole: it listens already, or did")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("black hole: %w", err)
	}
	b.listener, b.done = l, make(chan struct{})
	b.URL = "http://" + l.Addr().String()
	go b.accept(l)
	return nil
}

func (b *BlackHole) accept(l net.Listener) {
	defer close(b.done)
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed
		}
		b.mu.Lock()
		b.conns = append(b.conns, conn)
		b.mu.Unlock()
		b.add(Attempt)
	}
}

// Close ends all connections. It may be called twice.
func (b *BlackHole) Close() error {
	b.mu.Lock()
	l, done := b.listener, b.done
	b.mu.Unlock()
	if l == nil {
		return nil
	}
	err := l.Close()
	<-done
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, conn := range b.conns {
		_ = conn.Close() // nothing was sent on it
	}
	b.conns = nil
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("black hole: %w", err)
	}
	return nil
}
