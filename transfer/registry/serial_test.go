package registry

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestOneUploadAtATime copies an image between repositories of a registry that does not mount, and answers no other request while it
// reads an upload. All copies share memory for fewer parts than they have layers.
func TestOneUploadAtATime(t *testing.T) {
	t.Parallel()
	n := newNeutralRegistry(t)
	dir, image := fixture.NewImage(t, 25<<20)
	src := n.repository("first")
	_, err := transfer.Copy(t.Context(), layout.New(dir), src, transfer.Options{})
	fixture.Check(t, err)
	want, err := image.Digest()
	fixture.Check(t, err)

	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool { // this registry has a blob in all repositories at once: the copies must send it
		missing := r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/blobs/")
		if missing {
			w.WriteHeader(http.StatusNotFound)
		}
		return missing
	})
	var copies errgroup.Group
	memory := transfer.NewPartMemory(40 << 20)
	for i := range 6 {
		dst := n.repository(fmt.Sprintf("copy%d", i))
		copies.Go(func() error {
			result, err := transfer.Copy(t.Context(), src, dst, transfer.Options{Reference: want.String(), Memory: memory})
			if err == nil && string(result.Digest) != want.String() {
				t.Errorf("%s, want %s", result.Digest, want)
			}
			return err
		})
	}
	fixture.Check(t, copies.Wait())
}
