package proxy

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestCloseEndsRequests closes the proxy while a registry answers no request: Close waits for the requests of clients,
// which are told why they fail, and nothing is begun for them any more.
func TestCloseEndsRequests(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ method, path string }{
		"manifest": {http.MethodGet, app + "/manifests/1.0"},
		"blob":     {http.MethodGet, app + "/blobs/" + string(digest.FromString("a blob"))},
		"tags":     {http.MethodGet, app + "/tags/list"},
		"upload":   {http.MethodPost, app + "/blobs/uploads/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cache, err := OpenCache(t.TempDir(), 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				defer cache.Close()
				opened, gate := make(chan struct{}), make(chan struct{})
				open := sync.OnceFunc(func() { close(opened) })
				h := New(cache, Options{Push: true, Allowed: func(string) bool { return true }, Open: func(ctx context.Context, _, _ string) (content.Source, error) {
					open()
					<-ctx.Done()
					<-gate
					return nil, ctx.Err()
				}})
				w := httptest.NewRecorder()
				go h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tt.method, "http://127.0.0.1:4511"+tt.path, nil))
				<-opened
				closed := make(chan struct{})
				go func() { defer close(closed); h.Close() }()
				synctest.Wait()
				select {
				case <-closed:
					t.Error("Close did not wait for a request")
				default:
				}
				close(gate)
				synctest.Wait()
				select {
				case <-closed:
				default:
					t.Error("Close does not end with the request")
				}
				if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "5" || !strings.Contains(w.Body.String(), "the proxy is ending") {
					t.Errorf("status %d, %v: %s", w.Code, w.Header(), w.Body)
				}
				w = httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tt.method, "http://127.0.0.1:4511"+tt.path, nil))
				if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "the proxy is ending") {
					t.Errorf("after Close: status %d: %s", w.Code, w.Body)
				}
			})
		})
	}
}

// TestCloseDuringRequests has many clients ask for layers while the proxy is closed: for the race detector.
func TestCloseDuringRequests(t *testing.T) {
	t.Parallel()
	u := newUpstream(100)
	for range 50 {
		cache, err := OpenCache(t.TempDir(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		cache.free = func() (int64, error) { return 1 << 40, nil }
		h := New(cache, Options{Allowed: func(string) bool { return true }, Open: func(context.Context, string, string) (content.Source, error) { return u, nil }})
		var clients sync.WaitGroup
		for range 4 {
			for _, path := range []string{app + "/manifests/1.0", u.path()} {
				clients.Go(func() {
					w := httptest.NewRecorder()
					h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:4511"+path, nil))
					if w.Code != http.StatusOK && w.Code != http.StatusServiceUnavailable {
						t.Errorf("status %d: %s", w.Code, w.Body)
					}
				})
			}
		}
		h.Close()
		clients.Wait()
		cache.Close()
	}
}
