package mirror

import (
	"cmp"
	"encoding/json"
	"math"
	"math/bits"
	"slices"

	"github.com/opencontainers/go-digest"
)

const (
	// imageCost is what an image costs beside its bytes, in bytes: a registry takes few manifests a second.
	imageCost = 8 << 20
	// slack is how much more than its share of the work a shard may get, so that repositories with the same
	// blobs stay together.
	slack = 1.1
)

// portion is a repository of the sources, as far as it matters for the deal.
type portion struct {
	from    string   // HOST/REPOSITORY
	to      []string // HOST/REPOSITORY of the destinations
	images  int      // selected
	sampled int      // of which the blobs are known
	blobs   map[digest.Digest]int64
}

// rounded is n rounded up to a power of two. Weights are rounded so that a new tag seldom changes the deal
// between two shards that begin at different times.
func rounded(n int64) int64 {
	if n <= 1 {
		return max(n, 0)
	}
	return 1 << min(bits.Len64(uint64(n-1)), 62)
}

// bytes is the size of the blobs that are known.
func (p portion) bytes() (n int64) {
	for _, size := range p.blobs {
		n += size
	}
	return n
}

// fixed is what the portion costs in any shard: its images, with the bytes of those that were not sampled.
func (p portion) fixed() float64 {
	images := float64(rounded(int64(p.images)))
	cost := images * imageCost
	if p.sampled > 0 {
		cost += max(0, images-float64(p.sampled)) * float64(rounded(p.bytes()/int64(p.sampled)))
	}
	return cost
}

// dealer deals out portions.
type dealer struct {
	load []float64                // of each shard
	has  []map[digest.Digest]bool // blobs
}

// cost is what a portion would cost a shard: blobs that the shard has are not counted again.
func (d *dealer) cost(p portion, fixed float64, shard int) float64 {
	for blob, size := range p.blobs {
		if !d.has[shard][blob] {
			fixed += float64(rounded(size))
		}
	}
	return fixed
}

// deal returns the shard of each portion, from 1. The same portions are dealt out in the same way, whatever
// their order. A portion goes to the shard that has most of its blobs, as long as that has no more than its
// share of the work by the slack; otherwise to the one that has least to do.
func deal(portions []portion, shards int) []int {
	d := dealer{load: make([]float64, shards), has: make([]map[digest.Digest]bool, shards)}
	for i := range d.has {
		d.has[i] = map[digest.Digest]bool{}
	}
	fixed := make([]float64, len(portions))
	all := make([]float64, len(portions))
	order := make([]int, len(portions))
	total, counted := 0.0, map[digest.Digest]bool{}
	for i, p := range portions {
		order[i], fixed[i] = i, p.fixed()
		all[i] = fixed[i]
		total += fixed[i]
		for blob, size := range p.blobs {
			all[i] += float64(rounded(size))
			if !counted[blob] {
				counted[blob] = true
				total += float64(rounded(size))
			}
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(all[b], all[a]), cmp.Compare(portions[a].from, portions[b].from))
	})
	dealt := make([]int, len(portions))
	for _, i := range order {
		to := d.choose(portions[i], fixed[i], total/float64(shards)*slack)
		d.load[to] += d.cost(portions[i], fixed[i], to)
		for blob := range portions[i].blobs {
			d.has[to][blob] = true
		}
		dealt[i] = to + 1
	}
	return dealt
}

// choose returns the shard that a portion goes to, from 0.
func (d *dealer) choose(p portion, fixed, limit float64) int {
	near, nearCost := -1, math.Inf(1)
	least, leastLoad := 0, math.Inf(1)
	for shard, load := range d.load {
		cost := d.cost(p, fixed, shard)
		if load+cost < leastLoad {
			least, leastLoad = shard, load+cost
		}
		if load+cost <= limit && (cost < nearCost || cost == nearCost && load < d.load[near]) {
			near, nearCost = shard, cost
		}
	}
	if near < 0 {
		return least
	}
	return near
}

// joined are portions as they are dealt out: those of one source, or with a repository of a destination in
// common, go to one shard.
func joined(portions []portion) (groups [][]int) {
	group := make([]int, len(portions))
	by := map[string]int{} // the first portion with a repository
	root := func(i int) int {
		for group[i] != i {
			i = group[i]
		}
		return i
	}
	for i, p := range portions {
		group[i] = i
		for _, name := range append([]string{"from " + p.from}, p.to...) {
			if first, known := by[name]; known {
				a, b := root(first), root(i)
				group[max(a, b)] = min(a, b)
			} else {
				by[name] = i
			}
		}
	}
	place := map[int]int{}
	for i := range portions {
		r := root(i)
		at, known := place[r]
		if !known {
			at = len(groups)
			place[r] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], i)
	}
	return groups
}

// dealOut returns the shard of each portion, from 1, and the digest of the deal.
func dealOut(portions []portion, shards int) ([]int, digest.Digest) {
	groups := joined(portions)
	whole := make([]portion, len(groups))
	for g, members := range groups {
		w := portion{from: portions[members[0]].from, blobs: map[digest.Digest]int64{}}
		for _, i := range members {
			w.images += portions[i].images
			w.sampled += portions[i].sampled
			for blob, size := range portions[i].blobs {
				w.blobs[blob] = size
			}
		}
		whole[g] = w
	}
	dealt := make([]int, len(portions))
	for g, shard := range deal(whole, shards) {
		for _, i := range groups[g] {
			dealt[i] = shard
		}
	}
	var all []any
	for i, p := range portions {
		all = append(all, []any{p.from, p.to, dealt[i]})
	}
	data, err := json.Marshal([]any{"ecrkit mirror deal 1", shards, all})
	if err != nil {
		panic(err) // plain values
	}
	return dealt, digest.FromBytes(data)
}
