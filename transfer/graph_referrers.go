package transfer

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
)

// maxReferrers bounds what may refer to one image and its parts.
const maxReferrers = 10_000

// referrerListsAtOnce is for how many manifests referrers are asked at once.
const referrerListsAtOnce = 8

// addReferrers adds what refers to the manifests of the graph or is attached to them
// by a tag, what refers to that, and so on.
func (g *graph) addReferrers(ctx context.Context, src Source, foreign bool) error {
	lister, ok := src.(ReferrerLister)
	if !ok {
		return fmt.Errorf("%w: it cannot tell what refers to an image", ErrUnsupported)
	}
	known := map[digest.Digest]bool{}
	for _, m := range g.Manifests {
		known[m.Descriptor.Digest] = true
	}
	blobs := map[digest.Digest]bool{}
	for _, d := range g.Blobs {
		blobs[d.Digest] = true
	}
	for subjects := g.Manifests; len(subjects) > 0; {
		roots, err := freshReferrers(ctx, src, lister, subjects, known)
		if err != nil {
			return err
		}
		attached, err := attachedTo(ctx, src, subjects)
		if err != nil {
			return err
		}
		if len(g.referrers)+len(g.attached)+len(roots)+len(attached) > maxReferrers {
			return fmt.Errorf("%w: more than %d manifests refer to it", ErrUnsupported, maxReferrers)
		}
		subjects = nil
		take := func(root Manifest) ([]Manifest, error) {
			tree, err := readTree(ctx, src, root, foreign)
			if err != nil {
				return nil, err
			}
			for _, d := range tree.Blobs {
				if !blobs[d.Digest] {
					blobs[d.Digest] = true
					g.Blobs = append(g.Blobs, d)
				}
			}
			for _, m := range tree.Manifests {
				known[m.Descriptor.Digest] = true
			}
			subjects = append(subjects, tree.Manifests...)
			return tree.Manifests, nil
		}
		for _, root := range roots {
			manifests, err := take(root)
			if err != nil {
				return err
			}
			g.referrers = append(g.referrers, manifests...)
		}
		for _, m := range attached {
			if !known[m.Descriptor.Digest] {
				manifests, err := take(m.Manifest)
				if err != nil {
					return fmt.Errorf("tag %s: %w", m.tag, err)
				}
				last := len(manifests) - 1
				g.referrers = append(g.referrers, manifests[:last]...)
				m.Manifest = manifests[last] // with its media type
			}
			g.attached = append(g.attached, m)
		}
	}
	return nil
}

// hasAttachments tells whether something refers to the image or is attached to it.
func (g *graph) hasAttachments() bool { return len(g.referrers) > 0 || len(g.attached) > 0 }

// freshReferrers reads the referrers of all subjects that are not known, and makes
// them known. A list may name anything: what does not itself refer to one of the
// subjects is none, and is not copied as one with what is attached to it.
func freshReferrers(ctx context.Context, src Source, lister ReferrerLister, subjects []Manifest, known map[digest.Digest]bool) ([]Manifest, error) {
	found, err := referrersOf(ctx, lister, subjects)
	if err != nil {
		return nil, err
	}
	var fresh []Descriptor
	for _, d := range found {
		if err := checkDescriptor(d); err != nil {
			return nil, err
		}
		if !known[d.Digest] {
			known[d.Digest] = true
			fresh = append(fresh, d)
		}
	}
	if len(fresh) > maxReferrers {
		return nil, fmt.Errorf("%w: more than %d manifests refer to it", ErrUnsupported, maxReferrers)
	}
	if totalSize(fresh) > maxGraphBytes {
		return nil, fmt.Errorf("%w: the manifests that refer to it have more than %d bytes together", ErrUnsupported, maxGraphBytes)
	}
	manifests, err := readLevel(ctx, src, fresh)
	if err != nil {
		return nil, err
	}
	wanted := map[digest.Digest]bool{}
	for _, m := range subjects {
		wanted[m.Descriptor.Digest] = true
	}
	var referrers []Manifest
	for _, m := range manifests {
		_, subject, err := referrerOf(m)
		if err == nil && wanted[subject] {
			referrers = append(referrers, m)
		} else {
			delete(known, m.Descriptor.Digest)
		}
	}
	return referrers, nil
}

// attachedTo gives what is attached to all subjects by tags made of their digests.
func attachedTo(ctx context.Context, src Source, subjects []Manifest) ([]taggedManifest, error) {
	tags := attachedTags(subjects)
	found, err := findTags(ctx, src, tags)
	if err != nil {
		return nil, err
	}
	var attached []taggedManifest
	for _, tag := range tags {
		if m, ok := found[tag]; ok {
			attached = append(attached, taggedManifest{m, tag})
		}
	}
	return attached, nil
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
