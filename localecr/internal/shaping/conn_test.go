package shaping

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

var testShape = Shape{Latency: 4 * time.Millisecond, Rate: 64 << 20}

// tcp is a shaped connection over loopback and its peer.
func tcp(t *testing.T, shape Shape) (shaped net.Conn, peer *net.TCPConn) {
	t.Helper()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Listener(raw, shape)
	t.Cleanup(func() { l.Close() })
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server, client.(*net.TCPConn)
}

// noLeaks fails the test if goroutines of this package are left at its end.
func noLeaks(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		var stacks string
		for range 12_000 { // a minute
			buf := make([]byte, 1<<20)
			stacks = string(buf[:runtime.Stack(buf, true)])
			if !strings.Contains(stacks, "shaping.(*conn)") {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Errorf("goroutines are left:\n%s", stacks)
	})
}

func TestZeroShape(t *testing.T) {
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if Listener(raw, Shape{}) != raw {
		t.Error("a zero shape wraps the listener")
	}
}

func shapedServer(t *testing.T, h http.Handler, secure bool) *httptest.Server {
	t.Helper()
	noLeaks(t)
	server := httptest.NewUnstartedServer(h)
	server.Listener = Listener(server.Listener, testShape)
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server
}

func TestHTTP(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			addresses := map[string]bool{}
			server := shapedServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				addresses[r.RemoteAddr] = true
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				w.Write(body)
			}), secure)
			for i := range 5 {
				body := bytes.Repeat([]byte{byte(i), 1, 2, 3}, i*100_000)
				response, err := server.Client().Post(server.URL, "", bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || !bytes.Equal(got, body) {
					t.Fatalf("request %d: %d bytes of %d, %v", i, len(got), len(body), err)
				}
			}
			if len(addresses) != 1 {
				t.Errorf("keep-alive did not work: %d connections", len(addresses))
			}
		})
	}
}

// The server answers and closes while the client still sends.
func TestHTTPEarlyAnswer(t *testing.T) {
	server := shapedServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}), false)
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n%s", make([]byte, 1000))
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != 413 || string(body) != "too large\n" {
		t.Errorf("got %d %q, %v", response.StatusCode, body, err)
	}
}

func TestHijack(t *testing.T) {
	server := shapedServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort")
		rw.Flush()
		if _, ok := c.(interface{ NetConn() net.Conn }).NetConn().(*net.TCPConn); !ok {
			t.Errorf("no TCP connection beneath %T", c)
		}
	}), false)
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, err := io.ReadAll(response.Body); string(got) != "short" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", got, err)
	}
}

// SetLinger(0) and Close: all bytes, then a reset.
func TestResetAfterBytes(t *testing.T) {
	noLeaks(t)
	server, peer := tcp(t, testShape)
	if _, err := server.Write(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	if err := server.(*conn).NetConn().(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	server.Close()
	n, err := io.Copy(io.Discard, peer)
	if n != 100_000 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%d bytes, then %v", n, err)
	}
}

func TestPeerResets(t *testing.T) {
	noLeaks(t)
	server, peer := tcp(t, testShape)
	if _, err := peer.Write([]byte("before")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(server, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	peer.SetLinger(0)
	peer.Close()
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v", err)
	}
	for {
		if _, err := server.Write(make([]byte, 1000)); err != nil {
			var named *net.OpError
			if !errors.As(err, &named) || named.Op != "write" {
				t.Errorf("write: %v", err)
			}
			break
		}
	}
}

func TestHalfClose(t *testing.T) {
	noLeaks(t)
	server, peer := tcp(t, testShape)
	if _, err := peer.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	peer.CloseWrite()
	if got, err := io.ReadAll(server); string(got) != "question" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	server.Write([]byte("answer"))
	if err := server.(*conn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(peer); string(got) != "answer" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := server.Write([]byte("more")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after CloseWrite: %v", err)
	}
}

func TestConnectionBeneathIsClosed(t *testing.T) {
	noLeaks(t)
	server, _ := tcp(t, testShape)
	server.(*conn).NetConn().Close()
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	server.Close()
}

func TestTLSSeesTheConnection(t *testing.T) {
	server, _ := tcp(t, testShape)
	if got := tls.Server(server, &tls.Config{}).NetConn(); got != server {
		t.Errorf("got %T", got)
	}
	if server.LocalAddr().Network() != "tcp" || server.RemoteAddr().Network() != "tcp" {
		t.Error("the addresses are not those of the connection")
	}
}

// BenchmarkRate reports how near to the rate real time comes, in percent.
// Run by hand: go test -bench Rate -benchtime 1x.
func BenchmarkRate(b *testing.B) {
	for _, rate := range []int64{1 << 20, 20 << 20, 100 << 20, 400 << 20} {
		for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
			b.Run(fmt.Sprintf("%dMiB/s,%v", rate>>20, latency), func(b *testing.B) {
				raw, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				l := Listener(raw, Shape{Rate: rate, Latency: latency})
				defer l.Close()
				total := 3 * rate
				var down, up float64
				for b.Loop() {
					client, err := net.Dial("tcp", raw.Addr().String())
					if err != nil {
						b.Fatal(err)
					}
					server, err := l.Accept()
					if err != nil {
						b.Fatal(err)
					}
					run := func(from io.Writer, to io.Reader) float64 {
						start := time.Now()
						go io.CopyN(from, zeros{}, total)
						io.CopyN(io.Discard, to, total)
						return 100 * float64(total) / time.Since(start).Seconds() / float64(rate)
					}
					down, up = run(server, client), run(client, server)
					client.Close()
					server.Close()
				}
				b.ReportMetric(down, "%down")
				b.ReportMetric(up, "%up")
			})
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
