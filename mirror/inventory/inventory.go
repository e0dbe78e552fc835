// Package inventory has lists of what a destination of images has, so that sets of images can leave that out.
package inventory

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/delta"
	"github.com/ecrkit/ecrkit/internal/strictjson"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Inventory is which blobs the repositories of a destination have, so that a set can leave them out. It
// has no names of images. Its JSON form is stable: fields are only added.
type Inventory struct {
	Version int `json:"version"`
	// Repositories are the digests of the blobs, sorted, by the name of the repository under the
	// destination.
	Repositories map[string][]digest.Digest `json:"repositories"`
	// Manifests are the digests of the manifests in the same way. It is nil if the ecrkit that made the inventory cannot import sets
	// without manifests.
	Manifests map[string][]digest.Digest `json:"manifests,omitzero"`
	// Sets are the blobs and manifests that each set carried, sorted, by its ID. Only the receipt of an import knows.
	Sets map[digest.Digest][]digest.Digest `json:"sets,omitempty"`
	// Borrows reports whether the ecrkit that made the inventory takes blobs from other repositories of the destination.
	Borrows bool `json:"borrows,omitempty"`
	// Deltas is what the ecrkit that made the inventory can rebuild; nil if it says nothing of it.
	Deltas *DeltaSupport `json:"deltas,omitempty"`
}

// New returns the inventory of a destination that has nothing.
func New() Inventory {
	return Inventory{Version: version, Repositories: map[string][]digest.Digest{}, Manifests: map[string][]digest.Digest{}, Borrows: true, Deltas: &DeltaSupport{DeltaVersion, delta.Encoders()}}
}

const (
	// version is that of the format.
	version = 1
	// maxInventory bounds an inventory, in bytes.
	maxInventory = 1 << 30
)

// Read reads an inventory. The error wraps [content.ErrIntegrity] if the text is something else.
func Read(r io.Reader) (Inventory, error) {
	data, err := content.ReadLimited(r, maxInventory)
	if err != nil {
		return Inventory{}, err
	}
	var v Inventory
	if err := strictjson.Unmarshal(data, &v); err != nil {
		return Inventory{}, fmt.Errorf("not an inventory: %w: %w", content.ErrIntegrity, err)
	}
	if v.Version != version || v.Repositories == nil {
		return Inventory{}, fmt.Errorf("not an inventory of version %d: %w", version, content.ErrIntegrity)
	}
	for _, lists := range []map[string][]digest.Digest{v.Repositories, v.Manifests} {
		for name, digests := range lists {
			if !content.IsRepositoryName(name) {
				return Inventory{}, fmt.Errorf("repository %q cannot be one: %w", name, content.ErrIntegrity)
			}
			for _, d := range digests {
				if err := d.Validate(); err != nil {
					return Inventory{}, fmt.Errorf("%s: %q: %w: %w", name, d, content.ErrIntegrity, err)
				}
			}
		}
	}
	for set, digests := range v.Sets {
		for _, d := range append([]digest.Digest{set}, digests...) {
			if err := d.Validate(); err != nil {
				return Inventory{}, fmt.Errorf("set %q: %q: %w: %w", set, d, content.ErrIntegrity, err)
			}
		}
	}
	return v, nil
}

// Write writes the inventory as JSON.
func (v Inventory) Write(w io.Writer) error {
	data, err := json.Marshal(v)
	if err == nil {
		_, err = w.Write(append(data, '\n'))
	}
	return err
}

// Merge adds what other has to the inventory.
func (v *Inventory) Merge(other Inventory) {
	v.Repositories = union(v.Repositories, other.Repositories)
	v.Manifests = union(v.Manifests, other.Manifests)
	v.Sets = union(v.Sets, other.Sets)
}

// union adds the lists of more to all, which is made if it is nil and more is not.
func union[K ~string](all, more map[K][]digest.Digest) map[K][]digest.Digest {
	if all == nil && more != nil {
		all = map[K][]digest.Digest{}
	}
	for key, digests := range more {
		joined := slices.Concat(all[key], digests)
		slices.Sort(joined)
		all[key] = slices.Compact(joined)
	}
	return all
}

// DeltaSupport is what a destination can rebuild.
type DeltaSupport struct {
	Version  int      `json:"version"` // of the format
	Encoders []string `json:"encoders"`
}

// DeltaVersion is that of the format of deltas.
const DeltaVersion = 1

// Encoders returns the encoders of deltas that all inventories have.
func Encoders(inventories []Inventory) []string {
	common := delta.Encoders()
	for _, v := range inventories {
		common = slices.DeleteFunc(common, func(e string) bool {
			return v.Deltas == nil || v.Deltas.Version != DeltaVersion || !slices.Contains(v.Deltas.Encoders, e)
		})
	}
	return common
}
