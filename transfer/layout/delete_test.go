package layout

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
)

func TestLayoutDelete(t *testing.T) {
	src, image, _ := fixture.Layout(t, 1)
	l := New(src)
	mustCopy(t, New(src), l, transfer.Options{Reference: "image", Tags: []string{"again"}})
	plan, err := l.PlanDelete(t.Context(), []content.ImageName{{Digest: fixture.DigestOf(t, image)}, {Tag: "none"}})
	fixture.Check(t, err)
	if len(plan.Images) != 1 || !slices.Equal(plan.Images[0].Removed, []string{"again", "image"}) || len(plan.Missing) != 1 {
		t.Errorf("%+v", plan)
	}
	got, err := l.Delete(t.Context(), []content.ImageName{{Tag: "image"}, {Tag: "none"}})
	fixture.Check(t, err)
	if len(got.Deleted) != 1 || len(got.Failures) != 1 || !errors.Is(got.Failures[0], content.ErrNotFound) {
		t.Errorf("%+v", got)
	}
	fixture.ValidateLayout(t, src)
	names, _ := fixture.Listed(t, l, content.AnyTags)
	if fmt.Sprint(names) != "[again index]" {
		t.Errorf("left %v", names)
	}
	if _, err := os.Stat(fixture.BlobFile(src, fixture.DigestOf(t, image))); err != nil {
		t.Error(err)
	}
	none := New(filepath.Join(t.TempDir(), "none"))
	if _, err := none.Delete(t.Context(), []content.ImageName{{Tag: "x"}}); err == nil {
		t.Error("deleted from nowhere")
	}
	if _, err := os.Stat(none.dir); err == nil {
		t.Error("a deletion made a layout")
	}
}

func FuzzDeleteFromIndex(f *testing.F) {
	f.Add([]byte(`{"manifests":[{"digest":"sha256:x","annotations":{"org.opencontainers.image.ref.name":"a"}}],"x":1}`), "a")
	f.Add([]byte(`null`), "")
	f.Add([]byte(`{"manifests":[null,1]}`), "a")
	f.Fuzz(func(t *testing.T, data []byte, tag string) {
		names := []content.ImageName{{Tag: tag}}
		updated, result, err := deleteFromIndex(data, names)
		if err != nil {
			return
		}
		_, entries, err := decodeIndexEntries(data)
		fixture.Check(t, err)
		_, left, err := decodeIndexEntries(updated)
		fixture.Check(t, err)
		if len(result.Deleted) == 0 && len(left) != len(entries) || len(result.Deleted) > len(entries)-len(left) {
			t.Errorf("%d of %d entries left, %d deleted", len(left), len(entries), len(result.Deleted))
		}
	})
}
