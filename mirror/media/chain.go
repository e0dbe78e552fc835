package media

import (
	"context"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Chain is sets that are imported one after the other: each comes after those that carried what it was made without.
type Chain struct {
	Sets []*Reader
	// carried is what each set carries, by the name of a repository under the destination, and borrowed what repositories take
	// from others with the set.
	carried, borrowed []map[string]map[digest.Digest]bool
}

// NewChain orders sets. Those that are in a possible order stay in it; of two with the same ID the first stays. If they
// have to be reordered, and two that do not build on each other have different images as the same tag, nobody knows
// which one is to stay: the error wraps [content.ErrConflict].
func NewChain(ctx context.Context, sets []*Reader) (*Chain, error) {
	if len(sets) == 1 {
		return &Chain{Sets: sets}, nil
	}
	var all Chain
	for _, s := range sets {
		if slices.ContainsFunc(all.Sets, func(other *Reader) bool { return other.ID == s.ID }) {
			continue
		}
		carried, err := s.carries(ctx)
		if err != nil {
			return nil, err
		}
		all.Sets, all.carried, all.borrowed = append(all.Sets, s), append(all.carried, carried), append(all.borrowed, s.borrows())
	}
	before := all.dependencies()
	sorted := &Chain{}
	taken := make([]bool, len(all.Sets))
	var order []int
	for len(order) < len(all.Sets) {
		next := -1
		for i := range before {
			if !taken[i] && !slices.ContainsFunc(before[i], func(k int) bool { return !taken[k] }) {
				next = i
				break
			}
		}
		if next < 0 {
			return nil, fmt.Errorf("%w: sets need blobs of each other, so none of them can be the first", content.ErrIntegrity)
		}
		taken[next] = true
		order = append(order, next)
		sorted.Sets, sorted.carried, sorted.borrowed = append(sorted.Sets, all.Sets[next]), append(sorted.carried, all.carried[next]), append(sorted.borrowed, all.borrowed[next])
	}
	if !slices.IsSorted(order) {
		return sorted, all.ambiguous(before)
	}
	return sorted, nil
}

// carries returns the blobs and manifests that the set has, blobs whole or as deltas.
func (r *Reader) carries(ctx context.Context) (map[string]map[digest.Digest]bool, error) {
	carried := map[string]map[digest.Digest]bool{}
	for _, image := range r.Images {
		if image.leftOut() {
			continue
		}
		contents, err := r.Contents(ctx, image)
		if err != nil {
			return nil, err
		}
		if carried[image.Name] == nil {
			carried[image.Name] = map[digest.Digest]bool{}
		}
		for _, blob := range contents.Blobs {
			carried[image.Name][blob.Digest] = true
		}
		for _, m := range contents.Manifests {
			carried[image.Name][m.Descriptor.Digest] = true
		}
	}
	for _, n := range r.Needs {
		delete(carried[n.Name], n.Digest)
	}
	return carried, nil
}

// dependencies returns for each set which others come before it, transitively.
func (c *Chain) dependencies() [][]int {
	before := make([][]int, len(c.Sets))
	for i, s := range c.Sets {
		for k, other := range c.Sets {
			if i != k && slices.ContainsFunc(s.Needs, func(n RequiredBlob) bool { return c.supplies(k, other, n) }) {
				before[i] = append(before[i], k)
			}
		}
	}
	for range c.Sets {
		for i := range before {
			for _, k := range slices.Clone(before[i]) {
				for _, further := range before[k] {
					if !slices.Contains(before[i], further) {
						before[i] = append(before[i], further)
					}
				}
			}
		}
	}
	return before
}

// supplies reports whether set k brought what another one needs: the one that the need names carried it, if it is in the chain.
func (c *Chain) supplies(k int, set *Reader, n RequiredBlob) bool {
	if c.borrowed[k][n.holder()][n.Digest] {
		return true
	}
	if n.Set != "" && slices.ContainsFunc(c.Sets, func(s *Reader) bool { return s.ID == n.Set }) {
		return set.ID == n.Set
	}
	return c.carried[k][n.holder()][n.Digest]
}

// ambiguous returns an error if two sets have different images as the same tag, and neither builds on the other.
func (c *Chain) ambiguous(before [][]int) error {
	type named struct {
		set    int
		digest digest.Digest
	}
	tags := map[string][]named{}
	for i, s := range c.Sets {
		for _, image := range s.Images {
			for _, tag := range image.Tags {
				if _, _, attached := content.ParseDigestTag(tag); attached {
					continue
				}
				name := image.Name + ":" + tag
				for _, other := range tags[name] {
					if other.digest != image.Digest && !slices.Contains(before[i], other.set) && !slices.Contains(before[other.set], i) {
						return fmt.Errorf("%w: %s and %s have different images as %s, and neither builds on the other; name the sets in the order of their exports",
							content.ErrConflict, c.Sets[other.set].dir, s.dir, name)
					}
				}
				tags[name] = append(tags[name], named{i, image.Digest})
			}
		}
	}
	return nil
}

// Check asks the destination for what the sets were made without, and no set before in the chain carries. The error is about
// all sets, and wraps [ErrRequiredBlobs].
func (c *Chain) Check(ctx context.Context, open func(ctx context.Context, name string) (content.Target, error)) error {
	for i, r := range c.Sets {
		rest := r.Set
		rest.Needs = slices.DeleteFunc(slices.Clone(r.Needs), func(n RequiredBlob) bool {
			return slices.ContainsFunc(slices.Concat(c.carried[:i], c.borrowed[:i]), func(brought map[string]map[digest.Digest]bool) bool {
				return brought[n.Name][n.Digest] || brought[n.holder()][n.Digest]
			})
		})
		if err := rest.CheckNeeds(ctx, open); err != nil {
			return fmt.Errorf("%s: %w", r.dir, err)
		}
		if err := r.CheckDeltas(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Replaced returns the tags of a set, NAME:TAG, that a later one in the chain has too.
func (c *Chain) Replaced(set *Reader) map[string]bool {
	replaced := map[string]bool{}
	for _, later := range c.Sets[slices.Index(c.Sets, set)+1:] {
		for _, image := range later.Images {
			for _, tag := range image.Tags {
				replaced[image.Name+":"+tag] = true
			}
		}
	}
	return replaced
}

// MissingBases returns the IDs of sets that some of the sets were built on and that are not among them, sorted.
func MissingBases(sets []Set) (ids []digest.Digest) {
	for _, s := range sets {
		for _, id := range s.Bases() {
			if !slices.ContainsFunc(sets, func(other Set) bool { return other.ID == id }) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
