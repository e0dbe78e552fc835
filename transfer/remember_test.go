package transfer

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestPushedNotes notes only what a later copy asks for: a mirror of 100,000 images with their referrers leaves no 100,000 files.
func TestPushedNotes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	opts := Options{Reference: "image", Tags: []string{"x"}, JournalDir: t.TempDir(), Referrers: true}
	noted := func() bool {
		entries, _ := os.ReadDir(filepath.Join(opts.JournalDir, "pushed"))
		return len(entries) > 0
	}
	mustCopy(t, layout.New(src), w.repository("app"), opts)
	if noted() {
		t.Error("a note that nothing asks for was written")
	}
	opts.Referrers = false
	mustCopy(t, layout.New(src), w.repository("app"), opts)
	if !noted() {
		t.Error("a pushed image was not noted")
	}
}
