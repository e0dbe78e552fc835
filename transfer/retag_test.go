package transfer

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr"
)

func statuses(r RetagResult) string {
	var s []string
	for _, t := range r.Tags {
		s = append(s, t.Tag+" "+string(t.Status))
	}
	return strings.Join(s, ", ")
}

func TestRetag(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	w.create("fixed", types.ImageTagMutabilityImmutable)
	src, image, index := newFixture(t, 1)
	for _, name := range []string{"app", "fixed"} {
		e := w.repository(name)
		mustCopy(t, NewLayout(src), e, Options{Reference: "image", Tags: []string{"1"}})
		mustCopy(t, NewLayout(src), e, Options{Reference: "index", Tags: []string{"2"}})
		w.calls.Reset()

		result, err := Retag(t.Context(), e, "2", []string{"a", "b", "2"})
		check(t, err)
		if result.Digest != digestOf(t, index) || statuses(result) != "a tagged, b tagged, 2 unchanged" || result.Done() != 3 {
			t.Errorf("%s: %+v", name, result)
		}
		w.expectCalls(map[string]int{"BatchGetImage": 1, "PutImage": 3})
		for _, reference := range []string{"a", "b"} {
			m, err := e.Resolve(t.Context(), reference)
			check(t, err)
			if want, _ := index.RawManifest(); string(m.Content) != string(want) {
				t.Errorf("%s is not the same, byte for byte", reference)
			}
		}
		plan, err := PlanRetag(t.Context(), e, "1", []string{"a", "1", "none"})
		check(t, err)
		if statuses(plan) != "a tagged, 1 unchanged, none tagged" || plan.Tags[0].Previous != digestOf(t, index) || plan.Tags[2].Previous != "" {
			t.Errorf("plan %+v", plan)
		}
	}
	// Only in the immutable repository the tag stays; the others are set.
	result, err := Retag(t.Context(), w.repository("app"), "1", []string{"a"})
	if err != nil || statuses(result) != "a tagged" {
		t.Errorf("%v, %v", result, err)
	}
	result, err = Retag(t.Context(), w.repository("fixed"), string(digestOf(t, image)), []string{"a", "1", "c"})
	if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), string(digestOf(t, image))) || !strings.Contains(err.Error(), string(digestOf(t, index))) {
		t.Errorf("%v", err)
	}
	if statuses(result) != "a conflict, 1 unchanged, c tagged" || result.Tags[0].Previous != digestOf(t, index) || result.Tags[0].Error == "" {
		t.Errorf("%+v", result)
	}
	if _, err := Retag(t.Context(), w.repository("app"), "none", []string{"a"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestRetagPartly(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := newFixture(t, 1)
	e := w.repository("app")
	mustCopy(t, NewLayout(src), e, Options{Reference: "image", Tags: []string{"1"}})
	check(t, w.server.SetFaults(localecr.Fault{Op: "PutImage", Nth: 2, Status: 400, Code: "InvalidParameterException"}))
	result, err := Retag(t.Context(), e, "1", []string{"a", "b", "c"})
	if err == nil || !strings.Contains(err.Error(), "tag b: ") || statuses(result) != "a tagged, b failed, c tagged" || result.Done() != 2 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestRetagLayout(t *testing.T) {
	dir, image, _ := newFixture(t, 1)
	l := NewLayout(dir)
	result, err := Retag(t.Context(), l, "image", []string{"a", "index", "image"})
	check(t, err)
	if statuses(result) != "a tagged, index tagged, image unchanged" {
		t.Errorf("%+v", result)
	}
	if result.Digest != digestOf(t, image) || result.MediaType != mediaTypeDockerManifest {
		t.Errorf("%+v", result)
	}
	for _, tag := range []string{"image", "a", "index"} {
		m, err := l.Resolve(t.Context(), tag)
		check(t, err)
		if m.Descriptor.Digest != digestOf(t, image) {
			t.Errorf("%s names %s", tag, m.Descriptor.Digest)
		}
	}
	validateLayout(t, dir)
	if _, err := Retag(t.Context(), NewLayout(filepath.Join(t.TempDir(), "none")), "a", []string{"b"}); err == nil {
		t.Error("no error without a layout")
	}
}

func TestCheckTag(t *testing.T) {
	for s, ok := range map[string]bool{"1.2": true, "_a": true, strings.Repeat("a", 128): true, "": false, ".a": false, "a:b": false, "a/b": false, fmt.Sprintf("%0129d", 1): false} {
		if err := CheckTag(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestRetagQuotas has an ECR with the quotas of AWS, 10 PutImage a second: twenty
// tags are paced, and none is refused as one too many.
func TestRetagQuotas(t *testing.T) {
	w := newWorld(t, localecr.Options{Quotas: localecr.DefaultQuotas()})
	src, _, _ := newFixture(t, 1)
	e := w.repository("app")
	e.Limits = NewLimits()
	mustCopy(t, NewLayout(src), e, Options{Reference: "image", Tags: []string{"1"}})
	w.calls.Reset()
	var tags []string
	for i := range 20 {
		tags = append(tags, fmt.Sprintf("t%d", i))
	}
	result, err := Retag(t.Context(), e, "1", tags)
	check(t, err)
	if result.Done() != len(tags) {
		t.Errorf("%+v", result)
	}
	w.expectCalls(map[string]int{"BatchGetImage": 1, "PutImage": 20})
}
