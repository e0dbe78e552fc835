package registry

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

func TestRegistryStatBlob(t *testing.T) {
	n := newNeutralRegistry(t)
	r := n.repository("app")
	data := "some content"
	d := content.Descriptor{Digest: digest.FromString(data), Size: int64(len(data))}
	fixture.Check(t, r.PutBlob(fixture.Context(t), d, strings.NewReader(data)))
	got, err := r.StatBlob(fixture.Context(t), d.Digest)
	fixture.Check(t, err)
	if got.Size != d.Size {
		t.Errorf("%d bytes", got.Size)
	}
	if _, err := r.StatBlob(fixture.Context(t), someSHA); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	// Where the registry sends elsewhere, only GET may be allowed.
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, "/elsewhere"):
			if r.Method != http.MethodGet {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(data))
			return true
		case strings.Contains(r.URL.Path, "/blobs/"):
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	if got, err = r.StatBlob(fixture.Context(t), d.Digest); err != nil || got.Size != d.Size {
		t.Errorf("elsewhere: %d bytes, %v", got.Size, err)
	}
}

func TestRegistryDeleter(t *testing.T) {
	src, image, _ := fixture.Layout(t, 1)
	n := newNeutralRegistry(t)
	r := n.repository("app")
	mustCopy(t, layout.New(src), r, transfer.Options{Reference: "image", Tags: []string{"1", "2"}})
	names := []content.ImageName{{Tag: "1"}, {Tag: "1", Digest: someSHA}, {Tag: "none"}, {Tag: "1", Digest: fixture.DigestOf(t, image)}}
	plan, err := r.PlanDelete(fixture.Context(t), names)
	fixture.Check(t, err)
	if len(plan.Images) != 1 || plan.Images[0].Digest != fixture.DigestOf(t, image) || plan.Images[0].Whole || len(plan.Missing) != 2 {
		t.Errorf("%+v", plan)
	}
	got, err := r.Delete(fixture.Context(t), names[:3])
	fixture.Check(t, err)
	if len(got.Deleted) != 1 || got.Deleted[0].Digest != fixture.DigestOf(t, image) || len(got.Failures) != 2 {
		t.Errorf("%+v", got)
	}
	for _, f := range got.Failures {
		if !errors.Is(f, content.ErrNotFound) {
			t.Errorf("failure %v", f)
		}
	}
	tags, err := r.Tags(fixture.Context(t))
	fixture.Check(t, err)
	if len(tags) != 1 || tags[0] != "2" {
		t.Errorf("left %v", tags)
	}
}
