package ecr

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

func TestImages(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, image, index := fixture.Layout(t, 1)
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "image", Tags: []string{"b", "a"}})
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "index", Tags: []string{"i"}})
	w.Calls.Reset()
	for tags, want := range map[content.TagFilter]string{content.AnyTags: "[- - a i]", content.TaggedOnly: "[a i]", content.UntaggedOnly: "[- -]"} {
		names, images := fixture.Listed(t, w.repository("app"), tags)
		if fmt.Sprint(names) != want {
			t.Errorf("%s: %v, want %s", tags, names, want)
		}
		for _, i := range images {
			if i.PushedAt == nil || i.Size < 1000 || i.Status != "ACTIVE" {
				t.Errorf("%+v", i)
			}
			if slices.Equal(i.Tags, []string{"a", "b"}) && i.Digest != fixture.DigestOf(t, image) {
				t.Errorf("the image is %s", i.Digest)
			}
		}
	}
	w.ExpectCalls(map[string]int{"DescribeImages": 3})

	names, images := fixture.Listed(t, layout.New(src), content.AnyTags)
	if fmt.Sprint(names) != "[image index]" || images[1].Digest != fixture.DigestOf(t, index) || images[1].Size < images[0].Size {
		t.Errorf("layout: %+v", images)
	}
	for _, err := range w.repository("none").Images(t.Context(), content.AnyTags) {
		if !errors.Is(err, content.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
}

// TestImagesPages has more images than one call gives.
func TestImagesPages(t *testing.T) {
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
