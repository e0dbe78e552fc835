package transfer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/localecr"
)

func TestPlanDeletion(t *testing.T) {
	images := []Image{{Digest: "a", Tags: []string{"1", "2"}}, {Digest: "b", Tags: []string{}}, {Digest: "c", Tags: []string{"3"}}}
	for names, want := range map[string]string{
		":1":         "a[1]",
		":1 :2":      "a[1 2]!",
		"@a":         "a[1 2]!",
		":1 @a":      "a[1 2]!",
		":1@a":       "a[1]",
		":1@b":       "missing :1@b",
		"@b":         "b[]!",
		":3 :1 :3":   "a[1] c[3]!",
		":none @b":   "b[]! missing :none",
		":none @zzz": "missing :none missing @zzz",
	} {
		plan := planDeletion(images, parseNames(names))
		var got []string
		for _, p := range plan.Images {
			s := fmt.Sprintf("%s%v", p.Digest, p.Removed)
			if p.Whole {
				s += "!"
			}
			got = append(got, s)
		}
		for _, n := range plan.Missing {
			got = append(got, "missing "+n.String())
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", names, s, want)
		}
	}
}

// parseNames reads names of images as they are printed.
func parseNames(s string) (names []ImageName) {
	for f := range strings.FieldsSeq(s) {
		var n ImageName
		tag, hash, _ := strings.Cut(f, "@")
		n.Tag, n.Digest = strings.TrimPrefix(tag, ":"), digest.Digest(hash)
		names = append(names, n)
	}
	return names
}

func TestDelete(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, image, index := newFixture(t, 1)
	fill := func() *ECR {
		mustCopy(t, NewLayout(src), w.repository("app"), Options{Reference: "image", Tags: []string{"a", "b", "c"}})
		mustCopy(t, NewLayout(src), w.repository("app"), Options{Reference: "index", Tags: []string{"i"}})
		w.calls.Reset()
		return w.repository("app")
	}
	left := func() string {
		names, _ := listed(t, w.repository("app"), AnyTags)
		w.calls.Reset()
		return strings.Join(names, " ")
	}
	imageDigest, indexDigest := digestOf(t, image), digestOf(t, index)
	m, err := NewLayout(src).Resolve(t.Context(), "index")
	check(t, err)
	c, err := decodeManifest(m.Content, "")
	check(t, err)
	one, two := c.manifests[0].Digest, c.manifests[1].Digest

	for _, tt := range []struct {
		name     string
		delete   []ImageName
		deleted  int
		failures string
		left     string
		calls    int
	}{
		{"a tag", []ImageName{{Tag: "a"}}, 1, "", "- - b i", 1},
		{"all tags", []ImageName{{Tag: "a"}, {Tag: "b"}, {Tag: "c"}}, 3, "", "- - i", 1},
		{"a digest", []ImageName{{Digest: imageDigest}}, 3, "", "- - i", 1},
		{"both", []ImageName{{Tag: "a"}, {Tag: "b"}, {Tag: "c"}, {Digest: imageDigest}}, 3, "", "- - i", 1},
		{"twice", []ImageName{{Tag: "a"}, {Tag: "a"}}, 1, "", "- - b i", 1},
		{"a tag at its digest", []ImageName{{Tag: "a", Digest: imageDigest}}, 1, "", "- - b i", 1},
		{"a tag at another digest", []ImageName{{Tag: "a", Digest: indexDigest}}, 0, "ImageTagDoesNotMatchDigest", "- - a i", 1},
		{"what is not there", []ImageName{{Tag: "none"}, {Tag: "a"}}, 1, "ImageNotFound", "- - b i", 1},
		{"a child", []ImageName{{Digest: one}}, 0, codeReferenced, "- - a i", 1},
		{"children and index", []ImageName{{Digest: one}, {Digest: two}, {Tag: "i"}}, 3, "", "a", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := fill()
			plan, err := e.PlanDelete(t.Context(), tt.delete)
			check(t, err)
			w.calls.Reset()
			got, err := e.Delete(t.Context(), tt.delete)
			check(t, err)
			w.expectCalls(map[string]int{"BatchDeleteImage": tt.calls})
			codes := ""
			for _, f := range got.Failures {
				codes += f.Code
				if errors.Is(f, ErrNotFound) != (f.Code == codeImageNotFound) || f.Error() == "" {
					t.Errorf("failure %v", f)
				}
			}
			if len(got.Deleted) != tt.deleted || codes != tt.failures {
				t.Errorf("%d deleted, failures %q, want %d and %q", len(got.Deleted), codes, tt.deleted, tt.failures)
			}
			if l := left(); l != tt.left {
				t.Errorf("left: %s, want %s", l, tt.left)
			}
			if missing := strings.Count(codes, codeImageNotFound); len(plan.Missing) != missing && tt.failures != "ImageTagDoesNotMatchDigest" {
				t.Errorf("planned without %v", plan.Missing)
			}
		})
	}
}

// TestPlanDeleteCalls counts what it takes to show what would go.
func TestPlanDeleteCalls(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := newFixture(t, 1)
	e := w.repository("app")
	mustCopy(t, NewLayout(src), e, Options{Reference: "image", Tags: []string{"a", "b"}})
	w.calls.Reset()
	plan, err := e.PlanDelete(t.Context(), []ImageName{{Tag: "a"}})
	check(t, err)
	w.expectCalls(map[string]int{"DescribeImages": 1})
	if len(plan.Images) != 1 || plan.Images[0].Whole || plan.Images[0].PushedAt == nil {
		t.Errorf("%+v", plan)
	}
	plan, err = e.PlanDelete(t.Context(), []ImageName{{Tag: "none"}, {Tag: "b"}})
	check(t, err)
	w.expectCalls(map[string]int{"DescribeImages": 2, "BatchGetImage": 1})
	if len(plan.Images) != 1 || len(plan.Missing) != 1 {
		t.Errorf("%+v", plan)
	}
	_, err = w.repository("none").PlanDelete(t.Context(), []ImageName{{Tag: "a"}})
	if !isRepositoryMissing(err) {
		t.Errorf("got %v", err)
	}
}

// TestDeleteMany has more images than one call takes.
func TestDeleteMany(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	e := w.repository("app")
	src, _, _ := newFixture(t, 0)
	base, err := NewLayout(src).Resolve(t.Context(), "image")
	check(t, err)
	mustCopy(t, NewLayout(src), e, Options{Reference: "image"})
	var names []ImageName
	for i := range batchSize + 1 {
		m := variant(t, base, i)
		check(t, e.PutTagged(t.Context(), m, ""))
		names = append(names, ImageName{Digest: m.Descriptor.Digest})
	}
	w.calls.Reset()
	got, err := e.Delete(t.Context(), names)
	check(t, err)
	if len(got.Deleted) != len(names) {
		t.Errorf("%d deleted", len(got.Deleted))
	}
	w.expectCalls(map[string]int{"BatchDeleteImage": 2})
}

func TestLayoutDelete(t *testing.T) {
	src, image, _ := newFixture(t, 1)
	l := NewLayout(src)
	mustCopy(t, NewLayout(src), l, Options{Reference: "image", Tags: []string{"again"}})
	plan, err := l.PlanDelete(t.Context(), []ImageName{{Digest: digestOf(t, image)}, {Tag: "none"}})
	check(t, err)
	if len(plan.Images) != 1 || !slices.Equal(plan.Images[0].Removed, []string{"again", "image"}) || len(plan.Missing) != 1 {
		t.Errorf("%+v", plan)
	}
	got, err := l.Delete(t.Context(), []ImageName{{Tag: "image"}, {Tag: "none"}})
	check(t, err)
	if len(got.Deleted) != 1 || len(got.Failures) != 1 || !errors.Is(got.Failures[0], ErrNotFound) {
		t.Errorf("%+v", got)
	}
	validateLayout(t, src)
	names, _ := listed(t, l, AnyTags)
	if fmt.Sprint(names) != "[again index]" {
		t.Errorf("left %v", names)
	}
	if _, err := os.Stat(blobFile(src, digestOf(t, image))); err != nil {
		t.Error(err)
	}
	none := NewLayout(filepath.Join(t.TempDir(), "none"))
	if _, err := none.Delete(t.Context(), []ImageName{{Tag: "x"}}); err == nil {
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
		names := []ImageName{{Tag: tag}}
		updated, result, err := deleteFromIndex(data, names)
		if err != nil {
			return
		}
		_, entries, err := decodeIndexEntries(data)
		check(t, err)
		_, left, err := decodeIndexEntries(updated)
		check(t, err)
		if len(result.Deleted) == 0 && len(left) != len(entries) || len(result.Deleted) > len(entries)-len(left) {
			t.Errorf("%d of %d entries left, %d deleted", len(left), len(entries), len(result.Deleted))
		}
	})
}
