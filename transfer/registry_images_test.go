package transfer

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

func TestRegistryStatBlob(t *testing.T) {
	n := newNeutralRegistry(t)
	r := n.repository("app")
	data := "some content"
	d := Descriptor{Digest: digest.FromString(data), Size: int64(len(data))}
	check(t, r.PutBlob(t.Context(), d, strings.NewReader(data)))
	got, err := r.StatBlob(t.Context(), d.Digest)
	check(t, err)
	if got.Size != d.Size {
		t.Errorf("%d bytes", got.Size)
	}
	if _, err := r.StatBlob(t.Context(), someSHA); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	// Where the registry sends elsewhere, only GET may be allowed.
	n.intercept(func(w http.ResponseWriter, r *http.Request) bool {
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
	if got, err = r.StatBlob(t.Context(), d.Digest); err != nil || got.Size != d.Size {
		t.Errorf("elsewhere: %d bytes, %v", got.Size, err)
	}
}

func TestRegistryDeleter(t *testing.T) {
	src, image, _ := newFixture(t, 1)
	n := newNeutralRegistry(t)
	r := n.repository("app")
	mustCopy(t, NewLayout(src), r, Options{Reference: "image", Tags: []string{"1", "2"}})
	names := []ImageName{{Tag: "1"}, {Tag: "1", Digest: someSHA}, {Tag: "none"}, {Tag: "1", Digest: digestOf(t, image)}}
	plan, err := r.Deleter().PlanDelete(t.Context(), names)
	check(t, err)
	if len(plan.Images) != 1 || plan.Images[0].Digest != digestOf(t, image) || plan.Images[0].Whole || len(plan.Missing) != 2 {
		t.Errorf("%+v", plan)
	}
	got, err := r.Deleter().Delete(t.Context(), names[:3])
	check(t, err)
	if len(got.Deleted) != 1 || got.Deleted[0].Digest != digestOf(t, image) || len(got.Failures) != 2 {
		t.Errorf("%+v", got)
	}
	for _, f := range got.Failures {
		if !errors.Is(f, ErrNotFound) {
			t.Errorf("failure %v", f)
		}
	}
	tags, err := r.Tags(t.Context())
	check(t, err)
	if len(tags) != 1 || tags[0] != "2" {
		t.Errorf("left %v", tags)
	}
}
