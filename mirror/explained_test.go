package mirror_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/mirror"
)

// TestExplainsWhatIsMirrored mirrors a repository by many random rules. Which tags the plan explains as selected, which ones
// a second implementation of the rules selects, and which ones arrive are the same.
func TestExplainsWhatIsMirrored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	pushed := map[string]time.Time{}
	src := w.repository(t, "from/app")
	for i, name := range strings.Fields("1.2.0 v1.2.0 1.2 v1.2.3 1.10.0 v2.0.0-rc1 v2.0.0-rc2 v2.0.0 v2.1.0 0.9.1 20260105 7 latest main main-7 x1.5.0 sha-abc v1 V3.0.0") {
		at := now.Add(-time.Duration(1+i*17%19) * 24 * time.Hour).Truncate(time.Second)
		w.Clock().Set(at)
		image := fmt.Sprint("image ", i)
		if i%5 == 4 { // another tag of the image before
			image = fmt.Sprint("image ", i-1)
		}
		d := putImage(t, src, name, image, &ocispec.Platform{OS: "linux", Architecture: "amd64"}, nil)
		if i%7 == 0 {
			putImage(t, src, "sha256-"+d.Digest.Encoded()+".sig", "signature of "+image, nil, nil)
		}
	}
	w.Clock().Set(now)
	for _, image := range w.details(t, "from/app") {
		for _, tag := range image.ImageTags {
			pushed[tag] = *image.ImagePushedAt
		}
	}
	digests := w.images(t, "from/app").tags
	config := mirror.Config{Destinations: []string{w.Registry + "/to"}}
	random := rand.New(rand.NewPCG(20, 26))
	for i := range 60 {
		item := mirror.ImageRules{From: w.Registry + "/from/app", Name: fmt.Sprint("app", i), Tags: randomRules(random)}
		if random.IntN(8) == 0 {
			item.Digests = []digest.Digest{digest.Digest(digests["main"])}
		}
		config.Images = append(config.Images, item)
	}
	opts := mirror.Options{Now: func() time.Time { return now }}
	opener := w.opener(t)
	plan, planErr := mirror.NewPlan(t.Context(), config, opener, opts)
	if _, err := mirror.Apply(t.Context(), plan, opener, opts); err != nil {
		t.Fatal(err)
	}
	arrived := w.contents(t, "to/")
	failed, some := 0, 0
	for i, item := range config.Images {
		r := plan.Repositories[i]
		want, enough := naiveSelect(item, pushed, now)
		got := arrived["to/"+item.Name]
		if got == nil {
			got = &repositoryContents{}
		}
		if !enough {
			failed++
			if r.Error == "" || planErr == nil || len(got.images) > 0 {
				t.Errorf("%+v: fewer than at_least are selected, and the plan has %q and %d images arrived", item.Tags, r.Error, len(got.images))
			}
			continue
		}
		explained := map[string]string{}
		for _, d := range r.Decisions {
			if d.Selected {
				explained[d.Tag] = string(d.Digest)
			}
			if d.Rule == "" {
				t.Errorf("%+v: nothing explains %s", item.Tags, d.Tag)
			}
		}
		selected := map[string]string{}
		for _, tag := range want {
			selected[tag] = digests[tag]
			some++
		}
		maps.DeleteFunc(got.tags, func(tag, _ string) bool { return isDigestTag(tag) })
		if !maps.Equal(explained, selected) || !maps.Equal(got.tags, selected) {
			t.Errorf("%+v\nexplained %v\nselected  %v\narrived   %v", item.Tags, slices.Sorted(maps.Keys(explained)), want, slices.Sorted(maps.Keys(got.tags)))
		}
		if len(item.Digests) > 0 && !got.images[digests["main"]] {
			t.Errorf("%+v: %s did not arrive", item.Tags, item.Digests)
		}
		if (len(item.Digests) == 0 || !item.Tags.IsZero()) && len(r.Decisions) < len(pushed) {
			t.Errorf("%+v: %d of %d tags are explained", item.Tags, len(r.Decisions), len(pushed))
		}
	}
	if failed == 0 || some < 100 {
		t.Errorf("%d items failed, %d tags were selected", failed, some)
	}
}

func randomRules(random *rand.Rand) (r mirror.TagRules) {
	some := func(of ...string) (chosen mirror.Patterns) {
		for range 1 + random.IntN(2) {
			chosen = append(chosen, of[random.IntN(len(of))])
		}
		return chosen
	}
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	if random.IntN(2) == 0 {
		r.Match = some("v*", "latest", "1.?", "[0-9]*", "*-*", `/v?\d+(\.\d+)*/`, `/main|latest/`, `/[^v].*/`, "*")
	}
	if random.IntN(3) == 0 {
		r.Exclude = some("*-rc*", "v1", `/\d+/`, "main*", "?.?*")
	}
	if random.IntN(4) == 0 {
		r.Semver = one(">=1.2 <2", "^1", "~1.2", ">=1.10-0", "<1")
	}
	if random.IntN(4) == 0 {
		r.Since = one("36h", "5d", "2w")
	}
	if random.IntN(3) == 0 {
		r.Latest, r.By = 1+random.IntN(5), mirror.TagOrder(one("semver", "pushed"))
	}
	if random.IntN(4) == 0 {
		r.AtLeast = 1 + random.IntN(6)
	}
	return r
}

// naiveSelect selects tags, one rule after the other; enough is whether there are as many as at_least says.
func naiveSelect(item mirror.ImageRules, pushed map[string]time.Time, now time.Time) (tags []string, enough bool) {
	r := item.Tags
	if len(item.Digests) > 0 && r.IsZero() {
		return nil, true
	}
	tags = slices.Sorted(maps.Keys(pushed))
	drop := func(if_ func(string) bool) { tags = slices.DeleteFunc(tags, if_) }
	drop(isDigestTag)
	if len(r.Match) > 0 {
		drop(func(tag string) bool { return !naiveMatch(r.Match, tag) })
	}
	drop(func(tag string) bool { return naiveMatch(r.Exclude, tag) })
	if r.Semver != "" {
		drop(func(tag string) bool { v, ok := naiveVersion(tag); return !ok || !naiveRange(r.Semver, v) })
	}
	if age := map[string]time.Duration{"36h": 36, "5d": 120, "2w": 336}[r.Since]; age > 0 {
		drop(func(tag string) bool { return pushed[tag].Before(now.Add(-age * time.Hour)) })
	}
	if r.Latest > 0 {
		if r.By == mirror.BySemver {
			drop(func(tag string) bool { _, ok := naiveVersion(tag); return !ok })
		}
		slices.SortStableFunc(tags, func(a, b string) int {
			if r.By == mirror.ByPushed {
				return pushed[b].Compare(pushed[a])
			}
			x, _ := naiveVersion(a)
			y, _ := naiveVersion(b)
			return y.compare(x)
		})
		tags = tags[:min(r.Latest, len(tags))]
	}
	slices.Sort(tags)
	return tags, len(tags) >= r.AtLeast
}

func naiveMatch(patterns mirror.Patterns, tag string) bool {
	for _, p := range patterns {
		expression := strings.NewReplacer(".", `\.`, "*", ".*", "?", ".").Replace(p)
		if strings.HasPrefix(p, "/") {
			expression = strings.Trim(p, "/")
		}
		if regexp.MustCompile("^(" + expression + ")$").MatchString(tag) {
			return true
		}
	}
	return false
}

type naive struct {
	numbers [3]int
	pre     string
}

func naiveVersion(tag string) (v naive, ok bool) {
	parts := regexp.MustCompile(`^v?(\d+)\.(\d+)(?:\.(\d+))?(?:-(\w+))?$`).FindStringSubmatch(tag)
	if parts == nil {
		return v, false
	}
	for i, text := range parts[1:4] {
		v.numbers[i], _ = strconv.Atoi(text)
	}
	v.pre = parts[4]
	return v, true
}

func (v naive) compare(other naive) int {
	final := func(v naive) int {
		if v.pre == "" {
			return 1
		}
		return 0
	}
	return cmp.Or(slices.Compare(v.numbers[:], other.numbers[:]), cmp.Compare(final(v), final(other)), cmp.Compare(v.pre, other.pre))
}

func naiveRange(text string, v naive) bool {
	at := func(n ...int) int { return slices.Compare(v.numbers[:], append(n, 0, 0, 0)[:3]) }
	if text == ">=1.10-0" {
		return at(1, 10) >= 0
	}
	return v.pre == "" && map[string]bool{
		">=1.2 <2": at(1, 2) >= 0 && at(2) < 0, "^1": at(1) >= 0 && at(2) < 0, "~1.2": at(1, 2) >= 0 && at(1, 3) < 0, "<1": at(1) < 0,
	}[text]
}
