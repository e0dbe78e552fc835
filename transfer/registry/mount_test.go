package registry

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
)

// TestSharesBlob asks a repository whether it takes content before others wait for a blob there, and leaves no upload behind.
func TestSharesBlob(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{http.StatusAccepted: true, http.StatusForbidden: false, http.StatusMethodNotAllowed: false, http.StatusNotFound: false} {
		var mu sync.Mutex
		var requests []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/" {
				return
			}
			mu.Lock()
			requests = append(requests, r.Method+" "+r.URL.RequestURI())
			mu.Unlock()
			switch r.Method {
			case http.MethodPost:
				w.Header().Set("Location", "/v2/app/blobs/uploads/1?state=x")
				w.WriteHeader(status)
			case http.MethodDelete:
				w.WriteHeader(http.StatusNoContent)
			}
		}))
		r := openTestRegistry(t, strings.TrimPrefix(server.URL, "http://"), "app", Options{})
		if got := r.SharesBlob(t.Context(), digest.FromString("blob")); got != want {
			t.Errorf("status %d: %v", status, got)
		}
		server.Close()
		expected := []string{"POST /v2/app/blobs/uploads/"}
		if want {
			expected = append(expected, "DELETE /v2/app/blobs/uploads/1?state=x")
		}
		if !slices.Equal(requests, expected) {
			t.Errorf("status %d: requests %q, want %q", status, requests, expected)
		}
	}
}
