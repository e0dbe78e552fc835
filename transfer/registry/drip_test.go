package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestDrip has a registry, its token server or the store of its blobs send the header of an answer for ever: a byte now and then,
// or informational responses without end. The request has an end, and its error names the host and the time.
func TestDrip(t *testing.T) {
	t.Parallel()
	blob := digest.FromString("blob")
	manifest := func(ctx context.Context, r *Repository) error {
		_, err := r.Resolve(ctx, "1")
		return err
	}
	operations := map[string]struct {
		drips string // path
		host  string
		run   func(context.Context, *Repository) error
	}{
		"ping":     {"/v2/", "127.0.0.1:5000", manifest},
		"token":    {"/token", "127.0.0.1:5000", manifest},
		"manifest": {"/v2/app/manifests/1", "127.0.0.1:5000", manifest},
		"blob": {"/store", "127.0.0.1:5002", func(ctx context.Context, r *Repository) error {
			_, err := r.Blob(ctx, content.Descriptor{Digest: blob, Size: 4})
			return err
		}},
		"range": {"/store", "127.0.0.1:5002", func(ctx context.Context, r *Repository) error {
			body, err := r.Blob(ctx, content.Descriptor{Digest: blob, Size: 1 << 20})
			if err != nil {
				return err
			}
			defer body.Close()
			_, err = io.Copy(io.Discard, body)
			return err
		}},
		"upload": {"/v2/app/blobs/uploads/1", "127.0.0.1:5000", func(ctx context.Context, r *Repository) error {
			return r.PutBlob(ctx, content.Descriptor{Digest: blob, Size: 4}, strings.NewReader("blob"))
		}},
	}
	for name, operation := range operations {
		for what, drip := range map[string]string{"bytes": "X", "informational": "HTTP/1.1 102 Processing\r\n\r\n"} {
			t.Run(name+" "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					server := &dripServer{ctx: ctx, path: operation.drips, drip: drip, half: name == "range"}
					transport := server.transport()
					defer transport.CloseIdleConnections()
					r, err := New("127.0.0.1:5000", "app", Options{Transport: transport})
					if err != nil {
						t.Fatal(err)
					}
					began := time.Now()
					err = operation.run(ctx, r)
					took := time.Since(began)
					if err == nil || !strings.Contains(err.Error(), operation.host) || !strings.Contains(err.Error(), "no answer came for 5m0s") {
						t.Errorf("got %v", err)
					}
					if strings.Contains(fmt.Sprint(err), "secret") {
						t.Errorf("shows the query: %v", err)
					}
					if took > 11*time.Minute {
						t.Errorf("took %s", took)
					}
				})
			})
		}
	}
}

// dripServer answers at all addresses. Its connections are in memory.
type dripServer struct {
	ctx  context.Context
	path string // at which the answer does not end
	drip string // what comes every 3 seconds
	half bool   // the first answer at the path is the first half of a blob
}

func (s *dripServer) transport() *http.Transport {
	t := NewTransport()
	t.DialContext = func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		connections := make(chan net.Conn, 1)
		connections <- server
		go func() {
			_ = (&http.Server{Handler: s}).Serve(&pipeListener{connections, s.ctx})
		}()
		return client, nil
	}
	t.DialTLSContext = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no TLS here") }
	return t
}

// pipeListener accepts one connection.
type pipeListener struct {
	connections chan net.Conn
	ctx         context.Context
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.connections:
		return c, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (s *dripServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == s.path && !s.half {
		s.dripTo(w, r)
		return
	}
	switch {
	case r.URL.Path == "/v2/" && s.path == "/token":
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://127.0.0.1:5000/token",service="s"`)
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/v2/":
	case r.URL.Path == "/v2/app/blobs/uploads/":
		w.Header().Set("Location", "/v2/app/blobs/uploads/1")
		w.WriteHeader(http.StatusAccepted)
	case strings.HasPrefix(r.URL.Path, "/v2/app/blobs/sha256:"):
		http.Redirect(w, r, "http://127.0.0.1:5002/store?signature=secret", http.StatusTemporaryRedirect)
	case r.URL.Path == "/store" && r.Header.Get("Range") != "":
		s.dripTo(w, r)
	case r.URL.Path == "/store":
		w.Header().Set("Content-Length", fmt.Sprint(1<<20))
		_, _ = w.Write(make([]byte, 1<<19))
		panic(http.ErrAbortHandler)
	default:
		http.NotFound(w, r)
	}
}

func (s *dripServer) dripTo(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	if s.drip == "X" {
		_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-")
	}
	for err == nil {
		select {
		case <-time.After(3 * time.Second):
			_, err = io.WriteString(conn, s.drip)
		case <-s.ctx.Done():
			return
		}
	}
}
