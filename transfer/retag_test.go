package transfer

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
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
	w.Create("fixed", types.ImageTagMutabilityImmutable)
	src, image, index := fixture.Layout(t, 1)
	for _, name := range []string{"app", "fixed"} {
		e := w.repository(name)
		mustCopy(t, layout.New(src), e, Options{Reference: "image", Tags: []string{"1"}})
		mustCopy(t, layout.New(src), e, Options{Reference: "index", Tags: []string{"2"}})
		w.Calls.Reset()

		result, err := Retag(t.Context(), e, "2", []string{"a", "b", "2"})
		fixture.Check(t, err)
		if result.Digest != fixture.DigestOf(t, index) || statuses(result) != "a tagged, b tagged, 2 unchanged" || result.Done() != 3 {
			t.Errorf("%s: %+v", name, result)
		}
		w.ExpectCalls(map[string]int{"BatchGetImage": 1, "PutImage": 3})
		for _, reference := range []string{"a", "b"} {
			m, err := e.Resolve(t.Context(), reference)
			fixture.Check(t, err)
			if want, _ := index.RawManifest(); string(m.Content) != string(want) {
				t.Errorf("%s is not the same, byte for byte", reference)
			}
		}
		plan, err := PlanRetag(t.Context(), e, "1", []string{"a", "1", "none"})
		fixture.Check(t, err)
		if statuses(plan) != "a tagged, 1 unchanged, none tagged" || plan.Tags[0].Previous != fixture.DigestOf(t, index) || plan.Tags[2].Previous != "" {
			t.Errorf("plan %+v", plan)
		}
	}
	// Only in the immutable repository the tag stays; the others are set.
	result, err := Retag(t.Context(), w.repository("app"), "1", []string{"a"})
	if err != nil || statuses(result) != "a tagged" {
		t.Errorf("%v, %v", result, err)
	}
	result, err = Retag(t.Context(), w.repository("fixed"), string(fixture.DigestOf(t, image)), []string{"a", "1", "c"})
	if !errors.Is(err, content.ErrConflict) || !strings.Contains(err.Error(), string(fixture.DigestOf(t, image))) || !strings.Contains(err.Error(), string(fixture.DigestOf(t, index))) {
		t.Errorf("%v", err)
	}
	if statuses(result) != "a conflict, 1 unchanged, c tagged" || result.Tags[0].Previous != fixture.DigestOf(t, index) || result.Tags[0].Err == nil {
		t.Errorf("%+v", result)
	}
	if _, err := Retag(t.Context(), w.repository("app"), "none", []string{"a"}); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestRetagPartly(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	e := w.repository("app")
	mustCopy(t, layout.New(src), e, Options{Reference: "image", Tags: []string{"1"}})
	fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: "PutImage", Nth: 2, Status: 400, Code: "InvalidParameterException"}))
	result, err := Retag(t.Context(), e, "1", []string{"a", "b", "c"})
	if err == nil || !strings.Contains(err.Error(), "tag b: ") || statuses(result) != "a tagged, b failed, c tagged" || result.Done() != 2 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestRetagLayout(t *testing.T) {
	dir, image, _ := fixture.Layout(t, 1)
	l := layout.New(dir)
	result, err := Retag(t.Context(), l, "image", []string{"a", "index", "image"})
	fixture.Check(t, err)
	if statuses(result) != "a tagged, index tagged, image unchanged" {
		t.Errorf("%+v", result)
	}
	if result.Digest != fixture.DigestOf(t, image) || result.MediaType != content.MediaTypeDockerManifest {
		t.Errorf("%+v", result)
	}
	for _, tag := range []string{"image", "a", "index"} {
		m, err := l.Resolve(t.Context(), tag)
		fixture.Check(t, err)
		if m.Descriptor.Digest != fixture.DigestOf(t, image) {
			t.Errorf("%s names %s", tag, m.Descriptor.Digest)
		}
	}
	fixture.ValidateLayout(t, dir)
	if _, err := Retag(t.Context(), layout.New(filepath.Join(t.TempDir(), "none")), "a", []string{"b"}); err == nil {
		t.Error("no error without a layout")
	}
}

// TestRetagQuotas has an ECR with the quotas of AWS, 10 PutImage a second: twenty
// tags are paced, and none is refused as throttled.
func TestRetagQuotas(t *testing.T) {
	w := newWorld(t, localecr.Options{Quotas: localecr.DefaultQuotas()})
	src, _, _ := fixture.Layout(t, 1)
	e := w.repository("app")
	e.Limits = ecr.NewLimits()
	mustCopy(t, layout.New(src), e, Options{Reference: "image", Tags: []string{"1"}})
	w.Calls.Reset()
	var tags []string
	for i := range 20 {
		tags = append(tags, fmt.Sprintf("t%d", i))
	}
	result, err := Retag(t.Context(), e, "1", tags)
	fixture.Check(t, err)
	if result.Done() != len(tags) {
		t.Errorf("%+v", result)
	}
	w.ExpectCalls(map[string]int{"BatchGetImage": 1, "PutImage": 20})
}
