package content

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
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
		plan := PlanDeletion(images, parseNames(names))
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
