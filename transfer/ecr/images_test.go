package ecr

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

func TestImages(t *testing.T) {
	t.Parallel()
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

// TestImagesPages has the list come in pages, which are asked for as they are needed.
func TestImagesPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	answered := &answeredECR{next: http.DefaultTransport, op: "DescribeImages"}
	w.Config.HTTPClient = &http.Client{Transport: answered}
	page := func(digest, next string) string {
		return fmt.Sprintf(`{"imageDetails":[{"imageDigest":%q,"imagePushedAt":1,"imageSizeInBytes":1}]%s}`, digest, next)
	}
	pages := []string{page(someSHA, `,"nextToken":"a"`), `{"imageDetails":[],"nextToken":"b"}`, page(strings.Replace(someSHA, "e", "f", 1), "")}
	answered.bodies = pages
	_, images := fixture.Listed(t, w.repository("app"), content.AnyTags)
	if len(images) != 2 || len(answered.bodies) != 0 {
		t.Errorf("%d images, %d pages were not asked for", len(images), len(answered.bodies))
	}
	for i, request := range answered.sent {
		token := []string{"", `"nextToken":"a"`, `"nextToken":"b"`}[i]
		if !strings.Contains(request, `"maxResults":1000`) || !strings.Contains(request, token) {
			t.Errorf("page %d was asked for by %s", i, request)
		}
	}
	answered.bodies = pages
	for _, err := range w.repository("app").Images(t.Context(), content.AnyTags) {
		fixture.Check(t, err)
		break
	}
	if len(answered.bodies) != 2 {
		t.Errorf("%d pages were not asked for", len(answered.bodies))
	}
}
