package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// counting is an upstream that notes how many bodies are open at once.
type counting struct {
	*upstream
	open, most *atomic.Int64
}

func (u counting) Ranges(context.Context, content.Descriptor) (content.RangeOpener, error) {
	return func(_ context.Context, first, n int64) (io.ReadCloser, error) {
		if now := u.open.Add(1); now > u.most.Load() {
			u.most.Store(now)
		}
		return &closing{u.part(first, n), func() { u.open.Add(-1) }}, nil
	}, nil
}

// TestAllConnections reads a blob in more ranges than all blobs together may have connections.
func TestAllConnections(t *testing.T) {
	t.Parallel()
	u := counting{newUpstream(5 << 20), new(atomic.Int64), new(atomic.Int64)}
	s := start(t, u, t.TempDir(), 16<<20, func(o *Options) { o.AllConnections = 1 })
	if _, body, err := s.send(http.MethodGet, u.path(), nil); err != nil || !bytes.Equal(body, u.blob) {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if n := u.most.Load(); n != 1 {
		t.Errorf("%d connections at once", n)
	}
}

// TestDiskFull has writes to the cache fail after some bytes: the client gets the blob all the
// same, and nothing is kept.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, wrong := range []bool{false, true} {
		u := newUpstream(5 << 20)
		log := &warnings{}
		s := start(t, u, t.TempDir(), 16<<20, log.collect)
		full := &fs.PathError{Op: "write", Path: "cache", Err: syscall.ENOSPC}
		s.cache.written = func(off int64) error {
			if off < 3<<20 {
				return nil
			}
			u.mu.Lock()
			defer u.mu.Unlock()
			u.wrong = wrong
			return full
		}
		_, body, err := s.send(http.MethodGet, u.path(), nil)
		if got := err == nil && bytes.Equal(body, u.blob); got == wrong {
			t.Errorf("wrong bytes after the disk was full: %v, %d bytes, %v", wrong, len(body), err)
		}
		s.handler.fetches.run.Wait()
		if n := stored(t, s.dir); n > 0 || s.cache.used > 0 {
			t.Errorf("%d bytes are kept, %d reserved", n, s.cache.used)
		}
		if text := log.String(); !strings.Contains(text, `"msg":"cache"`) || !strings.Contains(text, syscall.ENOSPC.Error()) {
			t.Errorf("the log does not say that the disk is full: %s", text)
		}
	}
}

// TestDiskNearlyFull leaves others their room on the disk.
func TestDiskNearlyFull(t *testing.T) {
	t.Parallel()
	u := newUpstream(1000)
	log := &warnings{}
	s := start(t, u, t.TempDir(), 16<<20, log.collect)
	s.cache.free = func() (int64, error) { return leaveFree + 999, nil }
	if _, body, err := s.send(http.MethodGet, u.path(), nil); err != nil || !bytes.Equal(body, u.blob) {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if n := stored(t, s.dir); n != 0 {
		t.Errorf("%d bytes are kept", n)
	}
	if text := log.String(); !strings.Contains(text, errNoRoom.Error()) {
		t.Errorf("the log does not say that the layer is not kept: %s", text)
	}
}

// warnings are the log lines of a proxy, without those of requests.
type warnings struct {
	mu sync.Mutex
	strings.Builder
}

func (w *warnings) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Builder.Write(p)
}

func (w *warnings) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Builder.String()
}

func (w *warnings) collect(o *Options) {
	o.Logger = slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// TestSlowReader has a client that does not read: its connection ends, others get the blob.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	u := newUpstream(8 << 20) // more than the buffers of a connection
	s := start(t, u, t.TempDir(), 64<<20)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return conn, conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	}}}
	defer client.CloseIdleConnections()
	s.handler.patience = time.Second
	slow := func() {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+u.path(), nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		for { // until the proxy gives up
			if n, _ := s.handler.following(); n == 0 && s.handler.answering.Load() == 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if n, err := io.Copy(io.Discard, response.Body); err == nil {
			t.Errorf("a client that did not read got all %d bytes", n)
		}
	}
	slow() // while it is fetched
	s.handler.patience = time.Minute
	if _, body, err := s.send(http.MethodGet, u.path(), nil); err != nil || !bytes.Equal(body, u.blob) {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	s.handler.patience = time.Second
	slow() // from the cache
}

// TestFailingUpstream answers with the error of the registry, and with the blob afterwards.
func TestFailingUpstream(t *testing.T) {
	t.Parallel()
	u := newUpstream(5 << 20)
	down := content.Permanent(errors.New("503 Service Unavailable"))
	u.down = down
	s := start(t, u, t.TempDir(), 16<<20)
	s.want(u.path(), http.StatusBadGateway, "503")
	s.want("/v2/registry.example/team/app/manifests/1.0", http.StatusBadGateway, "503")
	u.down = nil
	s.want(u.path(), http.StatusOK, "")
}

// TestPrefetch fetches to the end what no client wants any more.
func TestPrefetch(t *testing.T) {
	t.Parallel()
	u := newUpstream(5 << 20)
	u.gate = make(chan struct{})
	s := start(t, u, t.TempDir(), 16<<20, func(o *Options) { o.Prefetch = true })
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+u.path(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	response.Body.Close()
	close(u.gate)
	s.handler.fetches.run.Wait()
	if f, err := s.cache.open(t.Context(), digest.FromBytes(u.blob)); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
}

// TestCorrupted changes an entry while the proxy runs: it is fetched again.
func TestCorrupted(t *testing.T) {
	t.Parallel()
	u := newUpstream(5 << 20)
	s := start(t, u, t.TempDir(), 16<<20)
	path := s.cache.path(digest.FromBytes(u.blob))
	for name, damage := range map[string]func() error{
		"other bytes": func() error { return os.WriteFile(path, make([]byte, len(u.blob)), 0o600) },
		"cut":         func() error { return os.Truncate(path, 10) },
		"longer":      func() error { return os.Truncate(path, 6<<20) },
		"removed":     func() error { return os.Remove(path) },
		"a link": func() error {
			if err := os.Rename(path, path+".moved"); err != nil {
				return err
			}
			return os.Symlink(path+".moved", path)
		},
	} {
		s.want(u.path(), http.StatusOK, "")
		s.handler.fetches.run.Wait()
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if r, body, err := s.send(http.MethodGet, u.path(), nil); err != nil || r.StatusCode != http.StatusOK || !bytes.Equal(body, u.blob) {
			t.Errorf("%s: %s, %d bytes, %v", name, r.Status, len(body), err)
		}
	}
}

// TestStatusOfNothing asks an idle proxy how many requests it answers: the question is not one of them.
func TestStatusOfNothing(t *testing.T) {
	t.Parallel()
	s := newPushSite(t)
	if text := s.do(http.StatusOK, http.MethodGet, "/healthz", "").Body.String(); !strings.Contains(text, `"requestsInProgress":0`) {
		t.Error(text)
	}
	if text := s.do(http.StatusOK, http.MethodGet, "/metrics", "").Body.String(); !strings.Contains(text, "\necrkit_proxy_requests_in_progress 0\n") {
		t.Error(text)
	}
}
