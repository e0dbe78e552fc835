package transfer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/internal/partial"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestLocal pulls what a layout on this machine has already. The pull before it was interrupted.
func TestLocal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil     func(t *testing.T, layer string)
		downloads bool
	}{
		"as it was":   {func(*testing.T, string) {}, false},
		"other bytes": {func(t *testing.T, layer string) { flipByte(t, layer) }, true},
		"shorter":     {func(t *testing.T, layer string) { fixture.Check(t, os.Truncate(layer, 1000)) }, true},
		"missing":     {func(t *testing.T, layer string) { fixture.Check(t, os.Remove(layer)) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pushSlices(t)
			local := t.TempDir()
			mustCopy(t, w.repository("app"), layout.New(local), Options{Reference: "x", Tags: []string{"x"}})
			m, err := layout.New(local).Resolve(t.Context(), "x")
			fixture.Check(t, err)
			image, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
			fixture.Check(t, err)
			test.spoil(t, fixture.BlobFile(local, image.Blobs[1].Digest))

			dst := t.TempDir()
			interrupt(t, w, dst)
			w.Calls.Reset()
			result := mustCopy(t, w.repository("app"), layout.New(dst), Options{Reference: "x", Tags: []string{"x"}, Local: layout.New(local)})
			if got := w.Calls.Count(getLayer) > 0; got != test.downloads {
				t.Errorf("downloads %d", w.Calls.Count(getLayer))
			}
			if result.Digest != m.Descriptor.Digest || !sameContent(t.Context(), fixture.BlobFile(dst, image.Blobs[1].Digest), image.Blobs[1]) {
				t.Errorf("another image: %v", result)
			}
			for _, name := range listFiles(t, dst) {
				if strings.HasPrefix(filepath.Base(name), partial.Prefix) {
					t.Errorf("left behind: %s", name)
				}
			}
		})
	}
}

// flipByte changes a byte in the middle of a file.
func flipByte(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	fixture.Check(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, 5000)
	fixture.Check(t, err)
	b[0] ^= 1
	_, err = f.WriteAt(b, 5000)
	fixture.Check(t, err)
}
