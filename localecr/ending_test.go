package localecr_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestServeEnds ends a server while one request is on its way and another connection is open: what is sent over that is
// answered, and the client told to send no more.
func TestServeEnds(t *testing.T) {
	t.Parallel()
	for name, downloads := range map[string]string{"two ports": "", "one port": localecr.SamePort} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, err := localecr.New(localecr.Options{DownloadAddr: downloads})
			if err != nil {
				t.Fatal(err)
			}
			l, err := srv.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- l.Serve(ctx) }()
			idle, busy := dial(t, srv.Registry), dial(t, srv.Registry)
			if r := idle.ask(t); r.Close {
				t.Error("a connection is closed before the end")
			}
			busy.send(t, "POST / HTTP/1.1\r\nHost: %s\r\nX-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRegistry\r\nContent-Length: 2\r\n\r\n{", srv.Registry)
			r := dial(t, srv.Registry) // it is accepted behind the others, so theirs have been, too
			r.ask(t)
			stop()
			for { // until the server has noticed
				c, err := net.DialTimeout("tcp", srv.Registry, time.Minute)
				if err != nil {
					break
				}
				_ = c.Close()
			}
			if r := idle.ask(t); r.StatusCode != http.StatusUnauthorized || !r.Close {
				t.Errorf("on an open connection: %s, close %v", r.Status, r.Close)
			}
			busy.send(t, "}")
			if r := busy.answer(t); r.StatusCode == 0 {
				t.Errorf("a request that was on its way: %s", r.Status)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if err := srv.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// client is a connection of a client.
type client struct {
	net.Conn
	answers *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{conn, bufio.NewReader(conn)}
}

func (c *client) send(t *testing.T, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		t.Fatal(err)
	}
}

func (c *client) answer(t *testing.T) *http.Response {
	t.Helper()
	r, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		t.Fatal(err)
	}
	return r
}

// ask asks for /v2/ without credentials.
func (c *client) ask(t *testing.T) *http.Response {
	t.Helper()
	c.send(t, "GET /v2/ HTTP/1.1\r\nHost: %s\r\n\r\n", c.RemoteAddr())
	return c.answer(t)
}
