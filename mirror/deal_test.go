package mirror

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
)

// family returns repositories that share a blob, each with a layer of its own.
func family(name string, repositories, images int, base, own int64) (portions []portion) {
	for i := range repositories {
		from := fmt.Sprintf("a.example/%s/%03d", name, i)
		portions = append(portions, portion{from: from, to: []string{"b.example/" + from}, images: images, sampled: 1,
			blobs: map[digest.Digest]int64{digest.FromString(name): base, digest.FromString(from): own}})
	}
	return portions
}

func TestDealKeepsSharedBlobsTogether(t *testing.T) {
	portions := slices.Concat(family("x", 10, 4, 1<<30, 1<<20), family("y", 10, 4, 1<<30, 1<<20))
	dealt, _ := dealOut(portions, 2)
	for i := range portions {
		if dealt[i] != dealt[i/10*10] {
			t.Errorf("%s is in shard %d, and its family in %d", portions[i].from, dealt[i], dealt[i/10*10])
		}
	}
	if dealt[0] == dealt[10] {
		t.Error("one shard has everything")
	}
}

// TestDealBalances has repositories of very different sizes, all with one base: none of the shards has much
// more to do than its share.
func TestDealBalances(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		shards := 1 + r.IntN(16)
		var portions []portion
		total, largest := 0.0, 0.0
		for range 1 + r.IntN(300) {
			p := family(fmt.Sprint("r", len(portions)), 1, 1+r.IntN(200), 8<<20, r.Int64N(1<<30))[0]
			p.blobs[digest.FromString("base")] = 8 << 20
			portions = append(portions, p)
			cost := p.fixed() + 2*float64(p.bytes()) // rounded up
			total += cost
			largest = max(largest, cost)
		}
		dealt, _ := dealOut(portions, shards)
		load := make([]float64, shards)
		for i, shard := range dealt {
			if shard < 1 || shard > shards {
				t.Fatalf("shard %d of %d", shard, shards)
			}
			load[shard-1] += portions[i].fixed() + float64(portions[i].bytes())
		}
		if most := slices.Max(load); most > slack*total/float64(shards)+largest {
			t.Errorf("%d repositories in %d shards: the fullest has %.0f of %.0f, the largest repository %.0f", len(portions), shards, most, total, largest)
		}
	}
}

func TestDealIsTheSameEverywhere(t *testing.T) {
	portions := slices.Concat(family("x", 17, 3, 100<<20, 5<<20), family("y", 31, 50, 9<<20, 70<<20), family("z", 1, 4000, 1<<30, 1<<30))
	want, wantDigest := dealOut(portions, 8)
	for i := range 20 {
		got, gotDigest := dealOut(slices.Clone(portions), 8)
		if !slices.Equal(got, want) || gotDigest != wantDigest {
			t.Fatalf("run %d: another deal", i)
		}
	}
	// A tag more seldom matters, and which images were sampled does not show.
	more := slices.Clone(portions)
	more[20].images++
	if got, _ := dealOut(more, 8); !slices.Equal(got, want) {
		t.Error("one tag more makes another deal")
	}
	if _, other := dealOut(portions, 7); other == wantDigest {
		t.Error("another number of shards has the same digest")
	}
}

// TestDealJoins has a source with two names, and two sources with one repository of a destination.
func TestDealJoins(t *testing.T) {
	portions := []portion{
		{from: "a/x", to: []string{"d/x"}, images: 100}, {from: "a/y", to: []string{"d/y"}, images: 100},
		{from: "a/x", to: []string{"d/x2"}, images: 100}, {from: "a/z", to: []string{"d/y", "e/y"}, images: 100},
	}
	dealt, _ := dealOut(portions, 4)
	if dealt[0] != dealt[2] || dealt[1] != dealt[3] || dealt[0] == dealt[1] {
		t.Error(dealt)
	}
}
