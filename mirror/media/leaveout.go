package media

import (
	"cmp"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/mirror/inventory"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// needs returns the needs of repositories, all of which reach what need is of.
func needs(names []string, of inventory.Holding, need RequiredBlob) (needs []RequiredBlob) {
	for _, need.Name = range names {
		need.From = of.From(need.Name, need.Digest)
		needs = append(needs, need)
	}
	return needs
}

// hasImage reports whether a destination has all of an image and of what refers to it.
func hasImage(h inventory.Holdings, name string, contents transfer.Contents) bool {
	return !slices.ContainsFunc(contents.Blobs, func(d content.Descriptor) bool { return !h.Blobs.Reaches(name, d.Digest) }) &&
		!slices.ContainsFunc(contents.Manifests, func(m content.Manifest) bool { return !h.Manifests.Reaches(name, m.Descriptor.Digest) })
}

// knownManifest is a manifest that the destination has.
type knownManifest struct {
	size  int64
	users []string // names of the repositories that have it, see users
}

// know notes a manifest that a repository of the destination has.
func (c *collection) know(name string, d content.Descriptor) {
	m := c.known[d.Digest]
	if m == nil {
		m = &knownManifest{size: d.Size}
		c.known[d.Digest] = m
	}
	if len(m.users) == 0 || m.users[len(m.users)-1] != name {
		m.users = append(m.users, name)
	}
}

// leaveOut removes the blobs that the destination has: all repositories which use them have them, or take them from another
// one there. Manifests are left out with the whole of an image, and only if no other image takes them along: whoever has an index of
// the set has the manifests of its images.
func (c *collection) leaveOut() (all []RequiredBlob) {
	for _, d := range slices.Sorted(maps.Keys(c.blobs)) {
		users := c.usersOf(d)
		if slices.ContainsFunc(users, func(name string) bool { return !c.there.Blobs.Reaches(name, d) }) {
			continue
		}
		all = append(all, needs(users, c.there.Blobs, RequiredBlob{Digest: d, Size: c.blobs[d].Size, Set: c.there.Carried(d)})...)
		delete(c.blobs, d)
	}
	for d, m := range c.known {
		if _, carried := c.manifests[d]; carried {
			continue
		}
		slices.Sort(m.users)
		all = append(all, needs(slices.Compact(m.users), c.there.Manifests, RequiredBlob{Digest: d, Size: m.size, Set: c.there.Carried(d), Manifest: true})...)
	}
	return all
}

// compareNeeds is the order of needs in a set.
func compareNeeds(a, b RequiredBlob) int {
	kind := 0
	if a.Manifest != b.Manifest {
		kind = 1
		if b.Manifest {
			kind = -1
		}
	}
	return cmp.Or(cmp.Compare(a.Digest, b.Digest), kind, cmp.Compare(a.Name, b.Name))
}

// contentSize returns the bytes of a manifest and of all below it, each once. all has its images, if it is an index.
func contentSize(m content.Manifest, all []content.Manifest) (size int64, err error) {
	seen := map[digest.Digest]bool{}
	for next := []content.Manifest{m}; len(next) > 0; next = next[1:] {
		d := next[0].Descriptor
		if seen[d.Digest] {
			continue
		}
		seen[d.Digest] = true
		size += d.Size
		c, err := content.DecodeManifest(next[0].Content, d.MediaType)
		if err != nil {
			return 0, err
		}
		for _, blob := range c.Blobs {
			if !seen[blob.Digest] {
				seen[blob.Digest] = true
				size += blob.Size
			}
		}
		for _, child := range c.Manifests {
			if i := slices.IndexFunc(all, func(m content.Manifest) bool { return m.Descriptor.Digest == child.Digest }); i >= 0 {
				next = append(next, all[i])
			}
		}
	}
	return size, nil
}
