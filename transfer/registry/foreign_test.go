package registry

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestForeignLayersAreRetried counts the requests for a layer that fails: in a transient way
// once, or for good.
func TestForeignLayersAreRetried(t *testing.T) {
	t.Parallel()
	const layer = "layer"
	for _, tt := range []struct {
		status   int
		requests int64
		want     string
	}{
		{http.StatusServiceUnavailable, 2, layer},
		{http.StatusTooManyRequests, 2, layer},
		{http.StatusForbidden, 1, ""},
	} {
		t.Run(fmt.Sprint(tt.status), func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if requests.Add(1) == 1 {
					w.WriteHeader(tt.status)
					return
				}
				io.WriteString(w, layer)
			}))
			defer server.Close()
			var got []byte
			body, err := NewForeignLayers(server.Client().Transport).Blob(t.Context(), content.Descriptor{
				Digest: digest.FromString(layer), Size: int64(len(layer)), URLs: []string{server.URL},
			})
			if err == nil {
				got, err = io.ReadAll(body)
				body.Close()
			}
			if string(got) != tt.want || (err == nil) != (tt.want != "") || requests.Load() != tt.requests {
				t.Errorf("%q, %v after %d requests, want %q after %d", got, err, requests.Load(), tt.want, tt.requests)
			}
		})
	}
}
