package transfer

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
)

const (
	// maxReferrers bounds what may refer to one image and its parts.
	maxReferrers = 10_000
	// referrerListsAtOnce is for how many manifests referrers are asked at once.
	referrerListsAtOnce = 8
)

// addReferrers adds what refers to the manifests of the graph, what refers to
// that, and so on.
func (g *graph) addReferrers(ctx context.Context, src Source, foreign bool) error {
	lister, ok := src.(ReferrerLister)
	if !ok {
		return fmt.Errorf("%w: it cannot tell what refers to an image", ErrUnsupported)
	}
	known := map[digest.Digest]bool{}
	for _, m := range g.manifests {
		known[m.Descriptor.Digest] = true
	}
	blobs := map[digest.Digest]bool{}
	for _, d := range g.blobs {
		blobs[d.Digest] = true
	}
	for subjects := g.manifests; len(subjects) > 0; {
		found, err := referrersOf(ctx, lister, subjects)
		if err != nil {
			return err
		}
		var fresh []Descriptor
		for _, d := range found {
			if err := checkDescriptor(d); err != nil {
				return err
			}
			if !known[d.Digest] {
				known[d.Digest] = true
				fresh = append(fresh, d)
			}
		}
		if len(g.referrers)+len(fresh) > maxReferrers {
			return fmt.Errorf("%w: more than %d manifests refer to it", ErrUnsupported, maxReferrers)
		}
		roots, err := readLevel(ctx, src, fresh)
		if err != nil {
			return err
		}
		subjects = nil
		for _, root := range roots {
			tree, err := readTree(ctx, src, root, foreign)
			if err != nil {
				return err
			}
			for _, d := range tree.blobs {
				if !blobs[d.Digest] {
					blobs[d.Digest] = true
					g.blobs = append(g.blobs, d)
				}
			}
			for _, m := range tree.manifests {
				known[m.Descriptor.Digest] = true
			}
			g.referrers = append(g.referrers, tree.manifests...)
			subjects = append(subjects, tree.manifests...)
		}
	}
	return nil
}

// referrersOf asks for the referrers of all subjects.
func referrersOf(ctx context.Context, lister ReferrerLister, subjects []Manifest) ([]Descriptor, error) {
	found := make([][]Descriptor, len(subjects))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(referrerListsAtOnce)
	for i, m := range subjects {
		group.Go(func() (err error) {
			found[i], err = lister.Referrers(ctx, m.Descriptor.Digest)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []Descriptor
	for _, list := range found {
		all = append(all, list...)
	}
	return all, nil
}
