//go:build trial

package ecr

import (
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestTrialImagesPages has more images than one call gives.
func TestTrialImagesPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	e := w.repository("app")
	src, _, _ := fixture.Layout(t, 1)
	base, err := layout.New(src).Resolve(t.Context(), "image")
	fixture.Check(t, err)
	mustCopy(t, layout.New(src), e, transfer.Options{Reference: "image"})
	for i := range listPageSize {
		fixture.Check(t, e.PutTagged(t.Context(), fixture.Variant(t, base, i), ""))
	}
	w.Calls.Reset()
	_, images := fixture.Listed(t, e, content.AnyTags)
	if len(images) != listPageSize+1 {
		t.Errorf("%d images", len(images))
	}
	w.ExpectCalls(map[string]int{"DescribeImages": 2})
	for _, err := range e.Images(t.Context(), content.AnyTags) {
		fixture.Check(t, err)
		break
	}
	w.ExpectCalls(map[string]int{"DescribeImages": 1})
}
