package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// servedProxy is a proxy that serves connections in memory until stop is called.
type servedProxy struct {
	*pipes
	stop  context.CancelFunc
	ended chan error
}

func serve(t *testing.T, open func(context.Context) (content.Source, error)) *servedProxy {
	cache, err := OpenCache(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	h := New(cache, Options{Allowed: func(string) bool { return true }, Open: func(ctx context.Context, _, _ string) (content.Source, error) { return open(ctx) }})
	ctx, stop := context.WithCancel(t.Context())
	s := &servedProxy{newPipes(), stop, make(chan error, 1)}
	go func() { s.ended <- h.Serve(ctx, s) }()
	t.Cleanup(func() { stop(); h.Close(); cache.Close() })
	return s
}

// ask sends a request for a path.
func ask(t *testing.T, conn net.Conn, path string) {
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:4511\r\n\r\n", path); err != nil {
		t.Error(err)
	}
}

// answered reads an answer.
func answered(t *testing.T, conn net.Conn) (*http.Response, string) {
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// running reports whether Serve still runs; if it returned, it did so without an error.
func (s *servedProxy) running(t *testing.T) bool {
	synctest.Wait()
	select {
	case err := <-s.ended:
		if err != nil {
			t.Error(err)
		}
		return false
	default:
		return true
	}
}

// TestServeEnds has clients with open connections send requests while the proxy ends: they are answered, and told to
// send no more. It ends when nothing has come for a second.
func TestServeEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u, gate := newUpstream(10), make(chan struct{})
		s := serve(t, func(context.Context) (content.Source, error) { <-gate; return u, nil })
		idle, silent, busy := s.dial(), s.dial(), s.dial()
		ask(t, idle, "/v2/")
		if r, _ := answered(t, idle); r.Close {
			t.Error("a connection is closed before the end")
		}
		ask(t, busy, app+"/manifests/1.0")
		synctest.Wait()
		s.stop()
		synctest.Wait()
		time.Sleep(10 * time.Second) // as long as one is answered, the others may send theirs
		ask(t, idle, "/v2/")
		if r, _ := answered(t, idle); r.StatusCode != http.StatusOK || !r.Close {
			t.Errorf("on an open connection: %s, close %v", r.Status, r.Close)
		}
		close(gate)
		if r, _ := answered(t, busy); r.StatusCode != http.StatusOK || !r.Close {
			t.Errorf("a request that ran: %s, close %v", r.Status, r.Close)
		}
		if s.running(t) {
			t.Error("it still runs, but the only open connection has been idle for long")
		}
		if _, err := silent.Read(make([]byte, 1)); err == nil {
			t.Error("a connection without a request was answered")
		}
	})
}

// TestServeEndsAfterIdle has a client send its request within a second after its last answer.
func TestServeEndsAfterIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, nil)
		conn := s.dial()
		ask(t, conn, "/v2/")
		answered(t, conn)
		time.Sleep(idleTime / 2)
		s.stop()
		if !s.running(t) {
			t.Fatal("it ended while a request may have been on its way")
		}
		time.Sleep(idleTime/2 - 1)
		ask(t, conn, "/v2/")
		if r, _ := answered(t, conn); r.StatusCode != http.StatusOK || !r.Close {
			t.Errorf("%s, close %v", r.Status, r.Close)
		}
		if s.running(t) {
			t.Error("it still runs, without a connection")
		}
	})
}

// TestServeCutsOff ends the proxy while a registry does not answer: after 30 seconds the client is told why it gets
// nothing.
func TestServeCutsOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(ctx context.Context) (content.Source, error) { <-ctx.Done(); return nil, ctx.Err() })
		conn := s.dial()
		ask(t, conn, app+"/manifests/1.0")
		synctest.Wait()
		begin := time.Now()
		s.stop()
		r, text := answered(t, conn)
		if took := time.Since(begin); took != drainTime {
			t.Errorf("the answer came after %v", took)
		}
		if r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(r.Status, "the proxy is ending") || !strings.Contains(text, "the proxy is ending") || r.Header.Get("Retry-After") != "5" {
			t.Errorf("%s, %v: %s", r.Status, r.Header, text)
		}
		time.Sleep(cutTime)
		if s.running(t) {
			t.Error("it still runs")
		}
	})
}
