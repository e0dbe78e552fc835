package mirror

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// tagsOf makes tags, each pushed a day before the one after it; the last one today.
func tagsOf(names ...string) (tags []Tag) {
	for i, name := range names {
		pushed := now.AddDate(0, 0, i+1-len(names))
		tags = append(tags, Tag{Name: name, PushedAt: &pushed})
	}
	return tags
}

func TestSelect(t *testing.T) {
	all := tagsOf("20261129", "4711815-1.2", "1.0", "v1.2.0", "v1.10.0", "v2.0.0-rc1", "v2.0.0", "latest", "main-7",
		"sha256-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.sig")
	for _, tt := range []struct {
		name  string
		rules TagRules
		want  string
	}{
		{"all but those of signatures", TagRules{}, "20261129 4711815-1.2 1.0 v1.2.0 v1.10.0 v2.0.0-rc1 v2.0.0 latest main-7"},
		{"exact", TagRules{Match: Patterns{"latest"}}, "latest"},
		{"glob", TagRules{Match: Patterns{"v1.*", "main-[0-9]"}}, "v1.2.0 v1.10.0 main-7"},
		{"a regular expression matches as a whole", TagRules{Match: Patterns{`/v\d+\.\d+/`}}, ""},
		{"regular expression", TagRules{Match: Patterns{`/v?\d+(\.\d+)+/`}}, "1.0 v1.2.0 v1.10.0 v2.0.0"},
		{"exclude", TagRules{Match: Patterns{"v*"}, Exclude: Patterns{"*-rc*"}}, "v1.2.0 v1.10.0 v2.0.0"},
		{"semver has no prereleases", TagRules{Semver: ">=1.2"}, "v1.2.0 v1.10.0 v2.0.0"},
		{"semver with prereleases", TagRules{Semver: ">=1.10-0"}, "v1.10.0 v2.0.0-rc1 v2.0.0"},
		{"latest by semver", TagRules{Latest: 2, By: BySemver}, "v2.0.0-rc1 v2.0.0"},
		{"latest by semver after exclude", TagRules{Exclude: Patterns{"*-*"}, Latest: 2, By: BySemver}, "v1.10.0 v2.0.0"},
		{"latest by time of push", TagRules{Latest: 2, By: ByPushed}, "latest main-7"},
		{"since", TagRules{Since: "3d"}, "v2.0.0 latest main-7"},
		{"since and latest", TagRules{Match: Patterns{"v*"}, Since: "4w", Latest: 1, By: ByPushed}, "v2.0.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			decisions, err := tt.rules.Select(all, now)
			if err != nil {
				t.Fatal(err)
			}
			var selected []string
			for i, d := range decisions {
				if d.Tag != all[i].Name || d.Rule == "" {
					t.Errorf("%d: %+v", i, d)
				}
				if d.Selected {
					selected = append(selected, d.Tag)
				}
			}
			if got := strings.Join(selected, " "); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestSelectSameTwice(t *testing.T) {
	one := tagsOf("v1.0.0", "1.0.0", "1.0")
	other := slices.Clone(one)
	slices.Reverse(other)
	for _, tags := range [][]Tag{one, other} {
		decisions, err := TagRules{Latest: 1, By: BySemver}.Select(tags, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range decisions {
			if d.Selected != (d.Tag == "1.0") {
				t.Errorf("of equal versions the first name is taken: %+v", d)
			}
		}
	}
}

func TestSelectErrors(t *testing.T) {
	unknown := []Tag{{Name: "a"}}
	for _, tt := range []struct {
		rules TagRules
		want  error
		text  string
	}{
		{TagRules{Match: Patterns{"["}}, ErrConfig, `"[" is not a pattern`},
		{TagRules{Match: Patterns{""}}, ErrConfig, "is not a pattern"},
		{TagRules{Exclude: Patterns{"/(/"}}, ErrConfig, "exclude"},
		{TagRules{Semver: "newest"}, ErrConfig, "semver"},
		{TagRules{Since: "-1h"}, ErrConfig, "since"},
		{TagRules{Latest: 3}, ErrConfig, "latest needs by"},
		{TagRules{By: BySemver}, ErrConfig, "by needs latest"},
		{TagRules{Latest: 1, By: "name"}, ErrConfig, `by: "name"`},
		{TagRules{Latest: -1, By: BySemver}, ErrConfig, "negative"},
		{TagRules{Since: "1d"}, content.ErrUnsupported, "does not know when"},
		{TagRules{Latest: 1, By: ByPushed}, content.ErrUnsupported, "does not know when"},
		{TagRules{AtLeast: 2}, ErrTooFewTags, "1 of 1, and at_least is 2"},
	} {
		if _, err := tt.rules.Select(unknown, now); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%+v: %v, want %v with %q", tt.rules, err, tt.want, tt.text)
		}
	}
}
