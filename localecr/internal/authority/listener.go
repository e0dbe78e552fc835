package authority

import (
	"bufio"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// bothListener accepts connections of HTTPS and of plain HTTP on one port: the first byte of a TLS handshake is no letter.
// Clients that use plain HTTP on loopback, as docker and ecrkit do, need no certificate.
type bothListener struct {
	net.Listener
	config *tls.Config

	accepted chan net.Conn
	failed   chan error
	done     chan struct{}
	close    func() error // once

	mu      sync.Mutex
	waiting map[net.Conn]bool // that have not sent a byte
}

// firstByteTime is how long a connection may take to send its first byte.
const firstByteTime = 30 * time.Second

// handshakeRecord is the first byte of a TLS handshake: RFC 8446, section 5.1.
const handshakeRecord = 22

// Listen makes a listener take connections of HTTPS and of plain HTTP.
func (a *Authority) Listen(l net.Listener) net.Listener {
	b := &bothListener{
		Listener: l, config: a.config(), accepted: make(chan net.Conn), failed: make(chan error, 1), done: make(chan struct{}), waiting: map[net.Conn]bool{},
	}
	b.close = sync.OnceValue(b.closeOnce)
	go b.run()
	return b
}

func (b *bothListener) run() {
	for {
		conn, err := b.Listener.Accept()
		if err != nil {
			b.failed <- err
			return
		}
		go b.sort(conn)
	}
}

// sort waits for the first byte of a connection.
func (b *bothListener) sort(conn net.Conn) {
	if !b.wait(conn) {
		_ = conn.Close() // nothing was sent on it
		return
	}
	peeked := &peekedConn{Conn: conn, r: bufio.NewReaderSize(conn, 1)}
	_ = conn.SetReadDeadline(time.Now().Add(firstByteTime)) // fails only on a closed connection
	first, err := peeked.r.Peek(1)
	_ = conn.SetReadDeadline(time.Time{})
	b.mu.Lock()
	delete(b.waiting, conn)
	b.mu.Unlock()
	if err != nil {
		_ = conn.Close()
		return
	}
	var sorted net.Conn = peeked
	if first[0] == handshakeRecord {
		sorted = tls.Server(peeked, b.config)
	}
	select {
	case b.accepted <- sorted:
	case <-b.done:
		_ = conn.Close()
	}
}

// wait notes a connection without a first byte, and reports whether the listener is open.
func (b *bothListener) wait(conn net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil {
		return false
	}
	b.waiting[conn] = true
	return true
}

func (b *bothListener) Accept() (net.Conn, error) {
	select {
	case conn := <-b.accepted:
		return conn, nil
	case err := <-b.failed:
		return nil, err
	case <-b.done:
		return nil, net.ErrClosed
	}
}

func (b *bothListener) Close() error { return b.close() }

func (b *bothListener) closeOnce() error {
	err := b.Listener.Close()
	close(b.done)
	b.mu.Lock()
	defer b.mu.Unlock()
	for conn := range b.waiting {
		_ = conn.Close() // nothing was sent on it
	}
	b.waiting = nil
	return err
}

// peekedConn is a connection whose first byte was looked at.
type peekedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *peekedConn) Read(p []byte) (int, error) {
	if c.r == nil {
		return c.Conn.Read(p)
	}
	if c.r.Buffered() == 0 {
		c.r = nil
		return c.Conn.Read(p)
	}
	return c.r.Read(p)
}

// NetConn returns the connection below, which faults reset.
func (c *peekedConn) NetConn() net.Conn { return c.Conn }
