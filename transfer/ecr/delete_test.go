package ecr

import (
	"errors"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

func TestDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, image, index := fixture.Layout(t, 1)
	fill := func() *Repository {
		mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "image", Tags: []string{"a", "b", "c"}})
		mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "index", Tags: []string{"i"}})
		w.Calls.Reset()
		return w.repository("app")
	}
	left := func() string {
		names, _ := fixture.Listed(t, w.repository("app"), content.AnyTags)
		w.Calls.Reset()
		return strings.Join(names, " ")
	}
	imageDigest, indexDigest := fixture.DigestOf(t, image), fixture.DigestOf(t, index)
	m, err := layout.New(src).Resolve(t.Context(), "index")
	fixture.Check(t, err)
	c, err := content.DecodeManifest(m.Content, "")
	fixture.Check(t, err)
	one, two := c.Manifests[0].Digest, c.Manifests[1].Digest

	for _, tt := range []struct {
		name     string
		delete   []content.ImageName
		deleted  int
		failures string
		left     string
		calls    int
	}{
		{"a tag", []content.ImageName{{Tag: "a"}}, 1, "", "- - b i", 1},
		{"all tags", []content.ImageName{{Tag: "a"}, {Tag: "b"}, {Tag: "c"}}, 3, "", "- - i", 1},
		{"a digest", []content.ImageName{{Digest: imageDigest}}, 3, "", "- - i", 1},
		{"both", []content.ImageName{{Tag: "a"}, {Tag: "b"}, {Tag: "c"}, {Digest: imageDigest}}, 3, "", "- - i", 1},
		{"twice", []content.ImageName{{Tag: "a"}, {Tag: "a"}}, 1, "", "- - b i", 1},
		{"a tag at its digest", []content.ImageName{{Tag: "a", Digest: imageDigest}}, 1, "", "- - b i", 1},
		{"a tag at another digest", []content.ImageName{{Tag: "a", Digest: indexDigest}}, 0, "ImageTagDoesNotMatchDigest", "- - a i", 1},
		{"what is not there", []content.ImageName{{Tag: "none"}, {Tag: "a"}}, 1, "ImageNotFound", "- - b i", 1},
		{"a child", []content.ImageName{{Digest: one}}, 0, content.CodeReferenced, "- - a i", 1},
		{"children and index", []content.ImageName{{Digest: one}, {Digest: two}, {Tag: "i"}}, 3, "", "a", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := fill()
			plan, err := e.PlanDelete(t.Context(), tt.delete)
			fixture.Check(t, err)
			w.Calls.Reset()
			got, err := e.Delete(t.Context(), tt.delete)
			fixture.Check(t, err)
			w.ExpectCalls(map[string]int{"BatchDeleteImage": tt.calls})
			codes := ""
			for _, f := range got.Failures {
				codes += f.Code
				if errors.Is(f, content.ErrNotFound) != (f.Code == content.CodeImageNotFound) || f.Error() == "" {
					t.Errorf("failure %v", f)
				}
			}
			if len(got.Deleted) != tt.deleted || codes != tt.failures {
				t.Errorf("%d deleted, failures %q, want %d and %q", len(got.Deleted), codes, tt.deleted, tt.failures)
			}
			if l := left(); l != tt.left {
				t.Errorf("left: %s, want %s", l, tt.left)
			}
			if missing := strings.Count(codes, content.CodeImageNotFound); len(plan.Missing) != missing && tt.failures != "ImageTagDoesNotMatchDigest" {
				t.Errorf("planned without %v", plan.Missing)
			}
		})
	}
}

// TestPlanDeleteCalls counts what it takes to show what would go.
func TestPlanDeleteCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	e := w.repository("app")
	mustCopy(t, layout.New(src), e, transfer.Options{Reference: "image", Tags: []string{"a", "b"}})
	w.Calls.Reset()
	plan, err := e.PlanDelete(t.Context(), []content.ImageName{{Tag: "a"}})
	fixture.Check(t, err)
	w.ExpectCalls(map[string]int{"DescribeImages": 1})
	if len(plan.Images) != 1 || plan.Images[0].Whole || plan.Images[0].PushedAt == nil {
		t.Errorf("%+v", plan)
	}
	plan, err = e.PlanDelete(t.Context(), []content.ImageName{{Tag: "none"}, {Tag: "b"}})
	fixture.Check(t, err)
	w.ExpectCalls(map[string]int{"DescribeImages": 2, "BatchGetImage": 1})
	if len(plan.Images) != 1 || len(plan.Missing) != 1 {
		t.Errorf("%+v", plan)
	}
	_, err = w.repository("none").PlanDelete(t.Context(), []content.ImageName{{Tag: "a"}})
	if !isRepositoryMissing(err) {
		t.Errorf("got %v", err)
	}
}

// TestDeleteMany has more images than one call takes.
func TestDeleteMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	e := w.repository("app")
	src, _, _ := fixture.Layout(t, 1)
	base, err := layout.New(src).Resolve(t.Context(), "image")
	fixture.Check(t, err)
	mustCopy(t, layout.New(src), e, transfer.Options{Reference: "image"})
	var names []content.ImageName
	for i := range batchSize + 1 {
		m := fixture.Variant(t, base, i)
		fixture.Check(t, e.PutTagged(t.Context(), m, ""))
		names = append(names, content.ImageName{Digest: m.Descriptor.Digest})
	}
	w.Calls.Reset()
	got, err := e.Delete(t.Context(), names)
	fixture.Check(t, err)
	if len(got.Deleted) != len(names) {
		t.Errorf("%d deleted", len(got.Deleted))
	}
	w.ExpectCalls(map[string]int{"BatchDeleteImage": 2})
}
