package mirror

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestPruneKeepsWhatIsNeeded makes random repositories and checks that nothing which a kept image needs, or
// has attached, is deleted, and that no kept tag is.
func TestPruneKeepsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	deletions := 0
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 1))
		n := 2 + random.IntN(12)
		name := func(i int) digest.Digest { return digest.FromString(fmt.Sprint("image", i)) }
		s := pruner{now: now, images: map[digest.Digest]content.Image{}, contents: map[digest.Digest]content.ManifestContents{},
			kept: map[digest.Digest]bool{}, keptTags: map[string]bool{}, rules: PruneRules{Untagged: random.IntN(2) == 0}}
		old := now.Add(-48 * time.Hour)
		var needs [][2]digest.Digest // the second one must stay if the first one does
		for i := range n {
			image := content.Image{Digest: name(i), PushedAt: &old}
			for k := range random.IntN(3) {
				image.Tags = append(image.Tags, fmt.Sprintf("t%d-%d", i, k))
			}
			if i > 0 {
				other := name(random.IntN(i))
				switch random.IntN(4) {
				case 0:
					image.Subject = other
					needs = append(needs, [2]digest.Digest{other, image.Digest}, [2]digest.Digest{image.Digest, other})
				case 1:
					image.Tags = append(image.Tags, "sha256-"+other.Encoded()+".sig")
					needs = append(needs, [2]digest.Digest{other, image.Digest})
				case 2:
					s.contents[image.Digest] = content.ManifestContents{Manifests: []content.Descriptor{{Digest: other}}}
					needs = append(needs, [2]digest.Digest{image.Digest, other})
				}
			}
			s.images[image.Digest] = image
		}
		selected := kept{tags: map[string]bool{}, images: []digest.Digest{name(random.IntN(n))}}
		for _, image := range s.images {
			for _, tag := range image.Tags {
				if random.IntN(3) == 0 {
					selected.tags[tag] = true
				}
			}
		}
		if err := s.protect("a/b", selected, PruneRules{Protect: Patterns{"t3-*"}, InUse: []string{"A/b:t1-0"}}, []string{string(name(0))}); err != nil {
			t.Fatal(err)
		}
		s.link()
		gone := map[digest.Digest]bool{}
		for _, d := range s.deletions() {
			deletions++
			gone[d.Digest] = d.Whole
			for _, tag := range d.Tags {
				if selected.tags[tag] || tag == "t1-0" || tag == "t3-0" {
					t.Errorf("%d: tag %s is deleted", seed, tag)
				}
			}
			if !d.Whole && len(d.Tags) >= len(s.images[d.Digest].Tags) {
				t.Errorf("%d: %s loses all tags", seed, d.Digest)
			}
		}
		if gone[name(0)] || gone[selected.images[0]] {
			t.Errorf("%d: a selected image, or one in use, is deleted", seed)
		}
		for _, pair := range needs {
			if gone[pair[1]] && !gone[pair[0]] {
				t.Errorf("%d: %s is deleted, and %s stays", seed, pair[1], pair[0])
			}
		}
	}
	if deletions < 1000 {
		t.Errorf("only %d deletions", deletions)
	}
}

func TestReadInUse(t *testing.T) {
	t.Parallel()
	sum := digest.FromString("x")
	for name, want := range map[string]usedImage{
		"h.example/a/b:1":                              {"h.example/a/b", content.ImageName{Tag: "1"}},
		"h.example:5000/a":                             {"h.example:5000/a", content.ImageName{Tag: "latest"}},
		"H.example/a@" + string(sum):                   {"h.example/a", content.ImageName{Digest: sum}},
		"h/a:1@" + string(sum):                         {"h/a", content.ImageName{Tag: "1", Digest: sum}},
		"docker-pullable://h.example/a@" + string(sum): {"h.example/a", content.ImageName{Digest: sum}},
		string(sum):                                    {"", content.ImageName{Digest: sum}},
	} {
		if got, err := readInUse([]string{name}); err != nil || got[0] != want {
			t.Errorf("%s: %+v %v, want %+v", name, got, err, want)
		}
	}
	for _, name := range []string{"", "h/a@sha256:12", "h/a:", "h/a:-"} {
		if got, err := readInUse([]string{name}); err == nil && got[0].Tag != "latest" {
			t.Errorf("%q: %+v", name, got)
		}
	}
}

func TestPruningLimit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"0": 0, "7": 7, "10%": 20, "100%": 200, "1%": 2, "0%": 0} {
		if got, err := (&Pruning{MaxDelete: text}).limit(200); got != want || err != nil {
			t.Errorf("%s: %d %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "101%", "1.5", "%", "all"} {
		if _, err := (&Pruning{MaxDelete: text}).limit(200); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
