package index

import (
	"context"
	"errors"
	"testing"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// An index is there by its digest, and has no tag, when BeforeTags is asked; after
// its error it gets none.
func TestIndexBeforeTags(t *testing.T) {
	layout, _ := imageLayout(t, "linux/amd64", "linux/arm64")
	index, err := New(t.Context(), layout, references(nil, "linux-amd64", "linux-arm64"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	for _, verdict := range []error{refused, nil} {
		asked := 0
		before := func(ctx context.Context, dst content.Target, m content.Manifest) error {
			asked++
			if dst != content.Target(layout) {
				t.Errorf("asked about %s", dst)
			}
			if there, err := layout.Manifests(ctx, []content.Descriptor{m.Descriptor}); err != nil || string(there[0].Content) != string(m.Content) {
				t.Errorf("the index is not there: %v", err)
			}
			if _, err := layout.Resolve(ctx, "new"); !errors.Is(err, content.ErrNotFound) {
				t.Errorf("the tag is there: %v", err)
			}
			return verdict
		}
		_, err := index.Put(t.Context(), nil, []string{"new"}, transfer.Options{BeforeTags: before})
		if !errors.Is(err, verdict) || asked != 1 {
			t.Errorf("%v, asked %d times", err, asked)
		}
		if _, err := layout.Resolve(t.Context(), "new"); errors.Is(err, content.ErrNotFound) != (verdict != nil) {
			t.Errorf("the tag: %v", err)
		}
	}
}
