package media

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer"
)

// Receipt returns which blobs a destination has after all images of the set were imported: an inventory for
// the next export, made without asking the destination. It knows which set carried each blob.
func (r *Reader) Receipt(ctx context.Context) (Inventory, error) {
	found := map[string]map[digest.Digest]bool{}
	for _, image := range r.Images {
		contents, err := r.Contents(ctx, image)
		if err != nil {
			return Inventory{}, err
		}
		if found[image.Name] == nil {
			found[image.Name] = map[digest.Digest]bool{}
		}
		for _, blob := range contents.Blobs {
			found[image.Name][blob.Digest] = true
		}
	}
	elsewhere := map[digest.Digest]digest.Digest{}
	for _, n := range r.Needs {
		elsewhere[n.Digest] = n.Set
	}
	sets := map[digest.Digest]map[digest.Digest]bool{}
	v := NewInventory()
	for name, digests := range found {
		v.Repositories[name] = slices.Sorted(maps.Keys(digests))
		for d := range digests {
			set, needed := elsewhere[d]
			if !needed {
				set = r.ID
			}
			if set == "" {
				continue // the inventory of that export did not know
			}
			if sets[set] == nil {
				sets[set] = map[digest.Digest]bool{}
			}
			sets[set][d] = true
		}
	}
	v.Sets = map[digest.Digest][]digest.Digest{}
	for set, digests := range sets {
		v.Sets[set] = slices.Sorted(maps.Keys(digests))
	}
	return v, nil
}

// Contents returns what belongs to an image of the set, without what refers to it. Blobs that were left out
// are included.
func (r *Reader) Contents(ctx context.Context, image Image) (transfer.Contents, error) {
	src, err := r.Repository(image.Repository)
	if err != nil {
		return transfer.Contents{}, err
	}
	contents, err := transfer.ReadContents(ctx, src, transfer.Options{Reference: string(image.Digest)})
	if err != nil {
		return transfer.Contents{}, fmt.Errorf("%s@%s: %w", image.Repository, image.Digest, err)
	}
	return contents, nil
}

// origins returns which set carried a blob, as far as inventories know.
func origins(inventories []Inventory) map[digest.Digest]digest.Digest {
	carried := map[digest.Digest]digest.Digest{}
	for _, v := range inventories {
		for _, set := range slices.Sorted(maps.Keys(v.Sets)) {
			for _, d := range v.Sets[set] {
				if carried[d] == "" {
					carried[d] = set
				}
			}
		}
	}
	return carried
}

// Bases returns the IDs of the sets that carried what this one was made without, sorted, as far as it is
// known.
func (s Set) Bases() (ids []digest.Digest) {
	for _, n := range s.Needs {
		if n.Set != "" {
			ids = append(ids, n.Set)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
