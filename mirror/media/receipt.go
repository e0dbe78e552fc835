package media

import (
	"context"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/mirror/inventory"
	"github.com/ecrkit/ecrkit/transfer"
)

// Receipt returns which blobs a destination has after all images of the set were imported: an inventory for
// the next export, made without asking the destination. It knows which set carried each blob.
func (r *Reader) Receipt(ctx context.Context) (inventory.Inventory, error) {
	found := map[string]*digestsOf{}
	of := func(name string) *digestsOf {
		if found[name] == nil {
			found[name] = &digestsOf{blobs: map[digest.Digest]bool{}, manifests: map[digest.Digest]bool{}}
		}
		return found[name]
	}
	for _, image := range r.Images {
		if image.leftOut() {
			continue // all of it is among the needs
		}
		contents, err := r.Contents(ctx, image)
		if err != nil {
			return inventory.Inventory{}, err
		}
		of(image.Name).add(contents)
	}
	elsewhere := map[digest.Digest]digest.Digest{}
	for _, n := range r.Needs {
		elsewhere[n.Digest] = n.Set
		if n.Manifest {
			of(n.Name).manifests[n.Digest] = true
		} else {
			of(n.Name).blobs[n.Digest] = true
		}
	}
	sets := map[digest.Digest]map[digest.Digest]bool{}
	v := inventory.New()
	for name, digests := range found {
		v.Repositories[name], v.Manifests[name] = sorted(digests.blobs), sorted(digests.manifests)
		for _, d := range slices.Concat(v.Repositories[name], v.Manifests[name]) {
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
		v.Sets[set] = sorted(digests)
	}
	return v, nil
}

// Contents returns what belongs to an image of the set, without what refers to it. Blobs that were left out
// are included. Of an image that was left out, with [Image.ContentSize], it is read at the destination, if there is one.
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
