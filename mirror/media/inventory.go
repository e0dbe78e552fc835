package media

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/mirror/inventory"
	"github.com/ecrkit/ecrkit/transfer"
)

// TakeInventory reads the manifests of all images that a configuration selects: From is a repository of
// the destination, Name its name there. Images without a tag are not seen.
func TakeInventory(ctx context.Context, c mirror.Config, o mirror.Opener, opts mirror.Options) (inventory.Inventory, error) {
	selected, err := mirror.Select(ctx, c, o, opts)
	if err != nil {
		return inventory.Inventory{}, err
	}
	v := inventory.New()
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(repositoriesAtOnce)
	for i, s := range selected {
		selected[i] = mirror.SelectedRepository{} // is not needed any more when its blobs are known
		group.Go(func() error {
			blobs, manifests, err := contentOf(ctx, s, o)
			mu.Lock()
			defer mu.Unlock()
			v.Repositories[s.Name], v.Manifests[s.Name] = blobs, manifests
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return inventory.Inventory{}, err
	}
	return v, nil
}

// contentOf returns the digests of the blobs and of the manifests of the selected images of a repository, sorted. Manifests are read
// many at a time where the registry has that.
func contentOf(ctx context.Context, s mirror.SelectedRepository, o mirror.Opener) (blobs, manifests []digest.Digest, err error) {
	sources, err := openSources(ctx, []mirror.SelectedRepository{s}, o, nil, "")
	if err != nil {
		return nil, nil, err
	}
	src := sources[0].memo
	var found digestsOf
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
			found.add(contents)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	return sorted(found.blobs), sorted(found.manifests), nil
}

// digestsOf are the digests of what images consist of.
type digestsOf struct{ blobs, manifests map[digest.Digest]bool }

func (f *digestsOf) add(contents transfer.Contents) {
	if f.blobs == nil {
		f.blobs, f.manifests = map[digest.Digest]bool{}, map[digest.Digest]bool{}
	}
	for _, blob := range contents.Blobs {
		f.blobs[blob.Digest] = true
	}
	for _, m := range contents.Manifests {
		f.manifests[m.Descriptor.Digest] = true
	}
}

// sorted returns the digests of a set; [] if it is empty, which JSON writes as a list.
func sorted(digests map[digest.Digest]bool) []digest.Digest {
	return slices.AppendSeq([]digest.Digest{}, slices.Values(slices.Sorted(maps.Keys(digests))))
}
