package transfer

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// The note of an upload whose layer is there is removed.
func TestUploadJournal(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	opts := Options{Reference: "image", Tags: []string{"x"}, JournalDir: t.TempDir()}
	mustCopy(t, layout.New(src), w.repository("app"), opts)
	blobs, err := os.ReadDir(filepath.Join(src, "blobs", "sha256"))
	fixture.Check(t, err)
	for _, b := range blobs { // as if each had been killed after its end
		entry, err := opts.uploadJournal().Open(uploadKey(w.repository("app"), content.Descriptor{Digest: digest.Digest("sha256:" + b.Name())}))
		fixture.Check(t, err)
		fixture.Check(t, entry.Begin("id", 1))
		fixture.Check(t, entry.Close())
	}
	fixture.Check(t, os.RemoveAll(filepath.Join(opts.JournalDir, "pushed")))
	mustCopy(t, layout.New(src), w.repository("app"), opts)
	// Of the index, which was not pushed, the notes stay.
	left, err := filepath.Glob(filepath.Join(opts.JournalDir, "uploads", "*.upload"))
	fixture.Check(t, err)
	if want := len(blobs) - 2; len(left) != want { // the image has a config and a layer
		t.Errorf("%d notes are left, want %d of %d", len(left), want, len(blobs))
	}
}
