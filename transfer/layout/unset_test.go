package layout_test

import (
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestNoDigest has descriptors without a digest: an error, no panic.
func TestNoDigest(t *testing.T) {
	t.Parallel()
	l := layout.New(t.TempDir())
	_, missed := l.MissingBlobs(t.Context(), []content.Descriptor{{}})
	_, opened := l.Blob(t.Context(), content.Descriptor{})
	_, file := l.BlobFile(t.Context(), content.Descriptor{})
	for name, err := range map[string]error{
		"MissingBlobs": missed, "Blob": opened, "BlobFile": file,
		"PutBlob":     l.PutBlob(t.Context(), content.Descriptor{}, strings.NewReader("")),
		"PutManifest": l.PutManifest(t.Context(), content.Manifest{Content: []byte("{}")}),
		"PutTagged":   l.PutTagged(t.Context(), content.Manifest{}, "1"),
		"PutBlobFile": l.PutBlobFile(t.Context(), content.Descriptor{}, func(content.PartialFile) error { return nil }),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestNoTarget has a destination without a target: an error, no panic.
func TestNoTarget(t *testing.T) {
	t.Parallel()
	dir, _, _ := fixture.Layout(t, 1)
	src := layout.New(dir)
	if got := transfer.CopyAll(t.Context(), src, []transfer.Destination{{}}, transfer.Options{Reference: "image"}); got[0].Err == nil {
		t.Error("a copy to nothing has no error")
	}
	if got := transfer.Preview(t.Context(), src, []transfer.Destination{{}}, transfer.Options{Reference: "image"}); got[0].Err == nil {
		t.Error("a plan for nothing has no error")
	}
}
