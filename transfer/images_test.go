package transfer

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// listed gives the images that a list has, by their first tag or "-".
func listed(t *testing.T, l ImageLister, tags TagFilter) (names []string, images []Image) {
	t.Helper()
	for image, err := range l.Images(t.Context(), tags) {
		check(t, err)
		images = append(images, image)
		name := "-"
		if len(image.Tags) > 0 {
			name = image.Tags[0]
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, images
}

func TestImages(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, image, index := newFixture(t, 1)
	mustCopy(t, NewLayout(src), w.repository("app"), Options{Reference: "image", Tags: []string{"b", "a"}})
	mustCopy(t, NewLayout(src), w.repository("app"), Options{Reference: "index", Tags: []string{"i"}})
	w.calls.Reset()
	for tags, want := range map[TagFilter]string{AnyTags: "[- - a i]", TaggedOnly: "[a i]", UntaggedOnly: "[- -]"} {
		names, images := listed(t, w.repository("app"), tags)
		if fmt.Sprint(names) != want {
			t.Errorf("%s: %v, want %s", tags, names, want)
		}
		for _, i := range images {
			if i.PushedAt == nil || i.Size < 1000 || i.Status != "ACTIVE" {
				t.Errorf("%+v", i)
			}
			if slices.Equal(i.Tags, []string{"a", "b"}) && i.Digest != digestOf(t, image) {
				t.Errorf("the image is %s", i.Digest)
			}
		}
	}
	w.expectCalls(map[string]int{"DescribeImages": 3})

	names, images := listed(t, NewLayout(src), AnyTags)
	if fmt.Sprint(names) != "[image index]" || images[1].Digest != digestOf(t, index) || images[1].Size < images[0].Size {
		t.Errorf("layout: %+v", images)
	}
	for _, err := range w.repository("none").Images(t.Context(), AnyTags) {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
}

// TestImagesPages has more images than one call gives.
func TestImagesPages(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	e := w.repository("app")
	src, _, _ := newFixture(t, 0)
	base, err := NewLayout(src).Resolve(t.Context(), "image")
	check(t, err)
	mustCopy(t, NewLayout(src), e, Options{Reference: "image"})
	for i := range listPageSize {
		check(t, e.PutTagged(t.Context(), variant(t, base, i), ""))
	}
	w.calls.Reset()
	_, images := listed(t, e, AnyTags)
	if len(images) != listPageSize+1 {
		t.Errorf("%d images", len(images))
	}
	w.expectCalls(map[string]int{"DescribeImages": 2})
	for _, err := range e.Images(t.Context(), AnyTags) {
		check(t, err)
		break
	}
	w.expectCalls(map[string]int{"DescribeImages": 1})
}
