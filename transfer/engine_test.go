package transfer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestPreviewWritesNothing has notes of uploads and of pushed images in the state
// directory, and no clock.
func TestPreviewWritesNothing(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	opts := Options{Reference: "image", Tags: []string{"x"}, JournalDir: t.TempDir()}
	mustCopy(t, layout.New(src), w.repository("app"), opts)
	m, err := layout.New(src).Resolve(t.Context(), "image")
	fixture.Check(t, err)
	c, err := content.DecodeManifest(m.Content, "")
	fixture.Check(t, err)
	entry, err := opts.uploadJournal().Open(uploadKey(w.repository("app"), c.Blobs[0]))
	fixture.Check(t, err)
	fixture.Check(t, entry.Begin("id", 1))
	fixture.Check(t, entry.Close())
	fixture.Check(t, os.RemoveAll(filepath.Join(opts.JournalDir, "pushed")))
	state := func() (names []string) {
		fixture.Check(t, filepath.WalkDir(opts.JournalDir, func(path string, _ os.DirEntry, err error) error {
			names = append(names, path)
			return err
		}))
		return names
	}
	before := state()
	for _, p := range Preview(t.Context(), layout.New(src), []Destination{{Target: w.repository("app"), Tags: []string{"x"}}}, opts) {
		fixture.Check(t, p.Err)
	}
	if after := state(); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("a preview left %q of %q", after, before)
	}
	if planned := Preview(t.Context(), layout.New(src), nil, opts); len(planned) != 0 {
		t.Errorf("planned %v without a destination", planned)
	}
}

// TestRetagEnds ends between two tags: what is left is an error.
func TestRetagEnds(t *testing.T) {
	src, _, _ := fixture.Layout(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result, err := Retag(ctx, &endingTagger{layout.New(src), cancel}, "image", []string{"a", "b", "c"})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "b, c") {
		t.Errorf("got %v", err)
	}
	if result.Done() != 1 {
		t.Errorf("got %+v", result)
	}
}

// endingTagger ends after its first tag.
type endingTagger struct {
	*layout.Layout
	end func()
}

func (e *endingTagger) SetTag(ctx context.Context, m content.Manifest, tag string) (bool, error) {
	defer e.end()
	return e.Layout.SetTag(ctx, m, tag)
}
