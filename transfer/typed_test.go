package transfer

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// A registry answers text/plain, and the manifest has no media type: what it names tells.
func TestManifestWithoutMediaType(t *testing.T) {
	t.Parallel()
	config := []byte("{}")
	manifest := []byte(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` +
		string(digest.FromBytes(config)) + `","size":2},"layers":[]}`)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		switch {
		case strings.Contains(r.URL.Path, "/manifests/"):
			_, _ = w.Write(manifest)
		case strings.Contains(r.URL.Path, "/blobs/"):
			_, _ = w.Write(config)
		}
	}))
	t.Cleanup(server.Close)
	dir := filepath.Join(t.TempDir(), "layout")
	src := openTestRegistry(t, strings.TrimPrefix(server.URL, "http://"), "app", nil)
	result := mustCopy(t, src, layout.New(dir), Options{Reference: "1", Tags: []string{"1"}})
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	fixture.Check(t, err)
	if result.MediaType != ocispec.MediaTypeImageManifest || !strings.Contains(string(index), `{"mediaType":"`+ocispec.MediaTypeImageManifest+`","digest"`) {
		t.Errorf("%s in %s", result.MediaType, index)
	}
}
