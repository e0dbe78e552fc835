package registry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

// TestPingedOnce asks a registry once how it wants its credentials, however many of its repositories are opened at once.
func TestPingedOnce(t *testing.T) {
	t.Parallel()
	var pings atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			pings.Add(1)
			return
		}
		_, _ = w.Write([]byte(`{"tags":["1"]}`))
	}))
	defer server.Close()
	var shared Limits
	var running sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		running.Go(func() {
			r, err := New(strings.TrimPrefix(server.URL, "http://"), name, Options{Limits: &shared})
			if err == nil {
				_, err = r.Tags(t.Context())
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	running.Wait()
	if n := pings.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	other, err := New(strings.TrimPrefix(server.URL, "http://"), "d", Options{})
	fixture.Check(t, err)
	_, err = other.Tags(t.Context())
	fixture.Check(t, err)
	if n := pings.Load(); n != 2 {
		t.Errorf("asked %d times, with a repository of its own limits", n)
	}
}
