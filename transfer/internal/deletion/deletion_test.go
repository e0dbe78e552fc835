package deletion

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	images := []content.Image{{Digest: "a", Tags: []string{"1", "2"}}, {Digest: "b", Tags: []string{}}, {Digest: "c", Tags: []string{"3"}}}
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
		plan := Plan(images, parseNames(names))
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
func parseNames(s string) (names []content.ImageName) {
	for f := range strings.FieldsSeq(s) {
		var n content.ImageName
		tag, hash, _ := strings.Cut(f, "@")
		n.Tag, n.Digest = strings.TrimPrefix(tag, ":"), digest.Digest(hash)
		names = append(names, n)
	}
	return names
}

func TestUnique(t *testing.T) {
	t.Parallel()
	if got := Unique(parseNames(":2 :1 @a :2 :1@a @a")); fmt.Sprint(got) != "[:2 :1 @a :1@a]" {
		t.Errorf("%v", got)
	}
}
