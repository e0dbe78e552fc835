package shaping

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// maxLinger is how long a closed connection may still deliver.
const maxLinger = 30 * time.Second

// conn is a connection through two delay lines. Two goroutines, which end with
// Close, move bytes between the lines and the connection beneath.
type conn struct {
	raw     net.Conn
	in, out *line
	// Bytes of concurrent Reads and Writes stay together.
	readMu, writeMu sync.Mutex

	readDeadline, writeDeadline, linger deadline
	closeOnce                           sync.Once
	closed                              chan struct{}
}

func newConn(raw net.Conn, shape Shape, spare *sync.Pool) *conn {
	now := time.Now()
	c := &conn{raw: raw, in: newLine(shape, now, spare), out: newLine(shape, now, spare), closed: make(chan struct{})}
	go c.receive()
	go c.send()
	return c
}

// receive moves what the peer sends into the line.
func (c *conn) receive() {
	buf := make([]byte, c.in.chunk)
	for {
		n, err := c.raw.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			put, err := c.in.put(p, nil)
			if err != nil {
				return // closed
			}
			p = p[put:]
		}
		if err != nil {
			c.in.finish(err)
			return
		}
	}
}

// send moves what leaves the line to the peer, until CloseWrite, Close or an
// error, and closes the connection beneath after Close.
func (c *conn) send() {
	buf := make([]byte, c.out.chunk)
	for {
		n, err := c.out.get(buf, &c.linger)
		if n > 0 {
			_, err = c.raw.Write(buf[:n])
		}
		if err == nil {
			continue
		}
		if half, ok := c.raw.(interface{ CloseWrite() error }); ok && errors.Is(err, io.EOF) {
			_ = half.CloseWrite() // an error means that the peer is gone already
		}
		c.out.fail(err)
		<-c.closed
		c.raw.Close()
		return
	}
}

func (c *conn) Read(p []byte) (int, error) {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.in.get(p, &c.readDeadline)
	return n, c.wrap("read", err)
}

func (c *conn) Write(p []byte) (int, error) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	written := 0
	for written < len(p) {
		n, err := c.out.put(p[written:], &c.writeDeadline)
		written += n
		if errors.Is(err, io.EOF) {
			err = net.ErrClosed // after CloseWrite
		}
		if err != nil {
			return written, c.wrap("write", err)
		}
	}
	return written, nil
}

// Close makes reads and writes fail from now on. What was written before is
// still delivered.
func (c *conn) Close() error {
	err := c.wrap("close", net.ErrClosed)
	c.closeOnce.Do(func() {
		err = nil
		c.in.fail(net.ErrClosed)
		c.out.finish(net.ErrClosed)
		limit := time.Now().Add(maxLinger)
		c.linger.set(limit)
		// Errors mean that it is broken already, which send finds out.
		_ = c.raw.SetWriteDeadline(limit)
		_ = c.raw.SetReadDeadline(time.Now())
		close(c.closed)
	})
	return err
}

// CloseWrite tells the peer, after all that was written, that no more follows.
func (c *conn) CloseWrite() error {
	c.out.finish(io.EOF)
	return nil
}

// NetConn returns the connection beneath. Bytes in the lines are not in it.
func (c *conn) NetConn() net.Conn { return c.raw }

func (c *conn) LocalAddr() net.Addr  { return c.raw.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

func (c *conn) SetDeadline(t time.Time) error {
	c.readDeadline.set(t)
	c.writeDeadline.set(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.readDeadline.set(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writeDeadline.set(t)
	return nil
}

// wrap names the connection in an error as the net package does; errors that
// come from there and the end of file stay as they are.
func (c *conn) wrap(op string, err error) error {
	var already *net.OpError
	if err == nil || errors.Is(err, io.EOF) || errors.As(err, &already) {
		return err
	}
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
