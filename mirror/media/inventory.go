package media

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/delta"
	"github.com/ecrkit/ecrkit/internal/strictjson"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Inventory is which blobs the repositories of a destination have, so that a set can leave them out. It
// has no names of images. Its JSON form is stable: fields are only added.
type Inventory struct {
	Version int `json:"version"`
	// Repositories are the digests of the blobs, sorted, by the name of the repository under the
	// destination.
	Repositories map[string][]digest.Digest `json:"repositories"`
	// Sets are the blobs that each set carried, sorted, by its ID. Only the receipt of an import knows.
	Sets map[digest.Digest][]digest.Digest `json:"sets,omitempty"`
	// Borrows reports whether the ecrkit that made the inventory takes blobs from other repositories of the destination.
	Borrows bool `json:"borrows,omitempty"`
	// Deltas is what the ecrkit that made the inventory can rebuild; nil if it says nothing of it.
	Deltas *DeltaSupport `json:"deltas,omitempty"`
}

// NewInventory returns the inventory of a destination that has nothing.
func NewInventory() Inventory {
	return Inventory{Version: version, Repositories: map[string][]digest.Digest{}, Borrows: true, Deltas: &DeltaSupport{deltaVersion, delta.Encoders()}}
}

// maxInventory bounds an inventory, in bytes.
const maxInventory = 1 << 30

// ReadInventory reads an inventory. The error wraps [content.ErrIntegrity] if the text is something else.
func ReadInventory(r io.Reader) (Inventory, error) {
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
	for name, digests := range v.Repositories {
		if !content.IsRepositoryName(name) {
			return Inventory{}, fmt.Errorf("repository %q cannot be one: %w", name, content.ErrIntegrity)
		}
		for _, d := range digests {
			if err := d.Validate(); err != nil {
				return Inventory{}, fmt.Errorf("%s: %q: %w: %w", name, d, content.ErrIntegrity, err)
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

// TakeInventory reads the manifests of all images that a configuration selects: From is a repository of
// the destination, Name its name there. Images without a tag are not seen.
func TakeInventory(ctx context.Context, c mirror.Config, o mirror.Opener, opts mirror.Options) (Inventory, error) {
	selected, err := mirror.Select(ctx, c, o, opts)
	if err != nil {
		return Inventory{}, err
	}
	v := NewInventory()
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(repositoriesAtOnce)
	for i, s := range selected {
		selected[i] = mirror.SelectedRepository{} // is not needed any more when its blobs are known
		group.Go(func() error {
			digests, err := blobsOf(ctx, s, o)
			mu.Lock()
			defer mu.Unlock()
			v.Repositories[s.Name] = digests
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return Inventory{}, err
	}
	return v, nil
}

// blobsOf returns the digests of the blobs of the selected images of a repository, sorted. Their manifests are read many at a time where
// the registry has that.
func blobsOf(ctx context.Context, s mirror.SelectedRepository, o mirror.Opener) ([]digest.Digest, error) {
	sources, err := openSources(ctx, []mirror.SelectedRepository{s}, o, nil, "")
	if err != nil {
		return nil, err
	}
	src := sources[0].memo
	digests := map[digest.Digest]bool{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readersAtOnce)
	for _, image := range s.Images {
		group.Go(func() error {
			contents, err := transfer.ReadContents(ctx, src, transfer.Options{Reference: string(image.Digest), Referrers: s.Referrers, ReferrerFilter: s.ReferrerFilter})
			if err != nil {
				return fmt.Errorf("%s@%s: %w", s.From, image.Digest, err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, blob := range contents.Blobs {
				digests[blob.Digest] = true
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(digests)), nil
}

// Write writes the inventory as JSON.
func (v Inventory) Write(w io.Writer) error {
	data, err := json.Marshal(v)
	if err == nil {
		_, err = w.Write(append(data, '\n'))
	}
	return err
}

// lookup returns what each repository has.
func lookup(inventories []Inventory) map[string]map[digest.Digest]bool {
	has := map[string]map[digest.Digest]bool{}
	for _, v := range inventories {
		for name, digests := range v.Repositories {
			if has[name] == nil {
				has[name] = map[digest.Digest]bool{}
			}
			for _, d := range digests {
				has[name][d] = true
			}
		}
	}
	return has
}

// Merge adds what other has to the inventory.
func (v *Inventory) Merge(other Inventory) {
	union := func(a, b []digest.Digest) []digest.Digest {
		all := slices.Concat(a, b)
		slices.Sort(all)
		return slices.Compact(all)
	}
	if v.Repositories == nil {
		v.Repositories = map[string][]digest.Digest{}
	}
	for name, digests := range other.Repositories {
		v.Repositories[name] = union(v.Repositories[name], digests)
	}
	if v.Sets == nil && len(other.Sets) > 0 {
		v.Sets = map[digest.Digest][]digest.Digest{}
	}
	for set, digests := range other.Sets {
		v.Sets[set] = union(v.Sets[set], digests)
	}
}
