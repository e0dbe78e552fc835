package mirror_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestAppliesExactlyThePlan plans and applies over random sources and destinations: tags to add, to move, to leave and to delete,
// referrers, repositories to create, conflicts, platforms. What becomes of the registry, what the plan says and what the
// report says are the same list, entry by entry. Where something changes in between, nothing is done.
func TestAppliesExactlyThePlan(t *testing.T) { appliesExactly(t, 13) }

func appliesExactly(t *testing.T, worlds uint64) {
	t.Parallel()
	w := newWorld(t)
	seen := map[string]int{}
	var mu sync.Mutex
	t.Run("worlds", func(t *testing.T) {
		for seed := range worlds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				found := map[string]int{}
				w.checkExactly(t, fmt.Sprintf("w%d/", seed), rand.New(rand.NewPCG(seed, 29)), found)
				mu.Lock()
				defer mu.Unlock()
				for kind, n := range found {
					seen[kind] += n
				}
			})
		}
	})
	for _, kind := range []string{"create", "add tag", "move tag", "delete tag", "delete image", "add referrers", "conflict", "leave", "retag", "changed"} {
		if seen[kind] == 0 {
			t.Errorf("no world has %q: %v", kind, seen)
		}
	}
}

func (w *world) checkExactly(t *testing.T, prefix string, random *rand.Rand, seen map[string]int) {
	config, opts := w.randomMirror(t, prefix, random)
	to := prefix + "to/"
	before := w.contents(t, to)
	made, err := mirror.NewPlan(t.Context(), config, w.opener(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := mirror.ParsePlan(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := difference(before, w.contents(t, to)); len(got) > 0 {
		t.Fatalf("making a plan has changed %q", got)
	}
	disturbed := random.IntN(4) == 0
	if disturbed {
		w.disturb(t, prefix, random)
		before = w.contents(t, to)
	}
	opener := w.opener(t)
	plan, err := saved.Check(t.Context(), opener, mirror.Options{Now: opts.Now})
	if disturbed && (errors.Is(err, mirror.ErrChanged) || errors.Is(err, content.ErrNotFound)) { // an image by digest may be gone
		seen["changed"]++
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	// The saved plan counts, which people have read.
	want := w.planned(saved, seen)
	report, err := mirror.Apply(t.Context(), plan, opener, mirror.Options{Now: opts.Now})
	if conflict := saved.Err(); conflict != nil {
		seen["conflict"]++
		want = nil
		if err == nil || len(report.Images)+len(report.Deleted) > 0 {
			t.Errorf("a plan with a conflict was applied: %+v", report)
		}
	} else if err != nil {
		t.Fatal(err)
	}
	after := w.contents(t, to)
	if got := difference(before, after); !slices.Equal(got, want) {
		t.Errorf("the registry has changed by\n%s\nand the plan is\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if saved.Err() == nil {
		wantReported(t, saved, report)
	}
}

// planned lists what a plan says, in the words of difference.
func (w *world) planned(p mirror.Plan, seen map[string]int) (changes []string) {
	for _, r := range p.Repositories {
		name := strings.TrimPrefix(r.To, w.Registry+"/")
		if r.Create {
			seen["create"]++
			changes = append(changes, "create "+name)
		}
		referrers := 0
		for _, image := range r.Images {
			referrers += image.Referrers
			arrives := image.AtDestination()
			for _, change := range image.Tags {
				if change.Instead != "" {
					seen["retag"]++
				}
				switch change.Action {
				case mirror.AddTag:
					seen["add tag"]++
					changes = append(changes, fmt.Sprintf("add %s:%s %s", name, change.Tag, arrives))
				case mirror.MoveTag:
					seen["move tag"]++
					changes = append(changes, fmt.Sprintf("move %s:%s %s %s", name, change.Tag, change.Previous, arrives))
				case mirror.LeaveTag:
					seen["leave"]++
				}
			}
		}
		if referrers > 0 {
			seen["add referrers"]++
			changes = append(changes, fmt.Sprintf("add %s %d referrers", name, referrers))
		}
		for _, d := range r.Delete {
			for _, tag := range d.Tags {
				seen["delete tag"]++
				changes = append(changes, fmt.Sprintf("delete %s:%s %s", name, tag, d.Digest))
			}
			if d.Whole {
				seen["delete image"]++
				changes = append(changes, fmt.Sprintf("delete %s %s", name, d.Digest))
			}
		}
	}
	slices.Sort(changes)
	return changes
}

// wantReported compares the report, entry by entry.
func wantReported(t *testing.T, p mirror.Plan, report mirror.Report) {
	t.Helper()
	var want, got []string
	for _, r := range p.Repositories {
		for _, image := range r.Images {
			arrives := image.AtDestination()
			if image.Copies() {
				want = append(want, fmt.Sprint(r.From, "@", image.Digest, " ", r.To, " ", arrives, " ", slices.Sorted(slices.Values(image.Copied()))))
			}
		}
		for _, d := range r.Delete {
			for _, tag := range d.Tags {
				want = append(want, fmt.Sprint("delete ", r.To, ":", tag, " ", d.Digest))
			}
			if len(d.Tags) == 0 {
				want = append(want, fmt.Sprint("delete ", r.To, ": ", d.Digest))
			}
		}
	}
	for _, image := range report.Images {
		got = append(got, fmt.Sprint(image.From, " ", image.To, " ", image.Digest, " ", slices.Sorted(slices.Values(image.Tags))))
		if image.Referrers != nil && image.Referrers.Source != image.Referrers.Destination {
			t.Errorf("%s: %+v", image.From, image.Referrers)
		}
	}
	for _, d := range report.Deleted {
		got = append(got, fmt.Sprint("delete ", d.Repository, ":", d.Tag, " ", d.Digest))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the report has\n%s\nand the plan is\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// randomMirror makes repositories, and a configuration that mirrors them from PREFIX/from to PREFIX/to.
func (w *world) randomMirror(t *testing.T, prefix string, random *rand.Rand) (mirror.Config, mirror.Options) {
	t.Helper()
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	config := mirror.Config{
		Destinations: []string{w.Registry + "/" + prefix + "to"},
		Existing:     mirror.ExistingTags(one("", "overwrite", "overwrite", "skip", "error", "retag")),
		Prune:        mirror.PruneRules{Untagged: random.IntN(2) == 0},
	}
	opts := mirror.Options{Now: func() time.Time { return time.Now().Add(48 * time.Hour) }}
	if random.IntN(2) == 0 {
		opts.Prune = &mirror.Pruning{MaxDelete: one("100%", "100%", "100%", "1")}
		config.Prune.Protect = mirror.Patterns{"t3"}
	}
	for i := range 1 + random.IntN(2) {
		name := fmt.Sprint("r", i)
		item := mirror.ImageRules{From: w.Registry + "/" + prefix + "from/" + name, Name: name, Tags: mirror.TagRules{Match: mirror.Patterns{one("*", "t[0-5]", "/t[1-7]/")}}}
		if random.IntN(5) == 0 {
			item.Referrers = &mirror.ReferrerRules{None: true}
		}
		switch random.IntN(6) {
		case 0:
			item.Platforms = []string{"linux/amd64"}
		case 1:
			item.Platforms = []string{"linux/amd64", "linux/arm64"}
		}
		src := w.repository(t, prefix+"from/"+name)
		putIndex(t, src, "t5", "always there")
		indexes := len(item.Platforms) == 2 // of which each image has both
		items := w.fill(t, src, random, indexes)
		if random.IntN(4) == 0 {
			item.Digests = []digest.Digest{items[0].Digest}
		}
		if random.IntN(3) > 0 {
			dst := w.repository(t, prefix+"to/"+name)
			w.fill(t, dst, random, false)
			for n := range 2 { // what an index names that comes as a referrer
				putImage(t, dst, fmt.Sprint("old", n), fmt.Sprint("attached ", n), amd64, nil)
			}
		}
		config.Images = append(config.Images, item)
	}
	return config, opts
}

// fill stores some of a few images, with tags and referrers.
func (w *world) fill(t *testing.T, r *localecr.Repository, random *rand.Rand, indexes bool) (stored []ocispec.Descriptor) {
	t.Helper()
	for range 1 + random.IntN(5) {
		n, tag := random.IntN(6), fmt.Sprint("t", random.IntN(8))
		d := putIndex(t, r, tag, fmt.Sprint("index ", n))
		if n%3 == 0 && !indexes {
			d = putImage(t, r, tag, fmt.Sprint("index ", n, " amd64"), &ocispec.Platform{OS: "linux", Architecture: "amd64"}, nil)
			d.Platform = nil
		}
		stored = append(stored, d)
		subject := ocispec.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
		for k := range random.IntN(3) {
			note := putImage(t, r, "", fmt.Sprint("note ", k, " of ", d.Digest), nil, &subject)
			if random.IntN(2) == 0 {
				about := ocispec.Descriptor{MediaType: note.MediaType, Digest: note.Digest, Size: note.Size}
				putImage(t, r, "", fmt.Sprint("note of a note of ", d.Digest), nil, &about)
			}
		}
		if sum := d.Digest.Encoded(); sum[0] < '8' {
			putReferringIndex(t, r, subject, putImage(t, r, "", fmt.Sprint("attached ", sum[1]%4), amd64, nil))
		}
		if random.IntN(4) == 0 {
			putImage(t, r, "sha256-"+d.Digest.Encoded()+".sig", fmt.Sprint("signature of ", d.Digest), nil, nil)
		}
	}
	return stored
}

// disturb changes something at a source or a destination.
func (w *world) disturb(t *testing.T, prefix string, random *rand.Rand) {
	t.Helper()
	side := []string{"from/", "to/"}[random.IntN(2)]
	w.fill(t, w.repository(t, prefix+side+"r0"), random, true)
	for tag := range w.images(t, prefix+side+"r0").tags {
		if tag != "t5" {
			w.removeTag(t, prefix+side+"r0", tag)
			break
		}
	}
}
