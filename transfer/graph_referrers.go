package transfer

import (
	"context"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// referrerListsAtOnce is for how many manifests referrers are asked at once.
const referrerListsAtOnce = 8

// addReferrers adds what refers to the manifests of the graph or is attached to them
// by a tag, what refers to that, and so on.
func (g *graph) addReferrers(ctx context.Context, src content.Source, opts Options) error {
	lister, ok := src.(content.ReferrerLister)
	if !ok {
		return fmt.Errorf("%w: it cannot tell what refers to an image", content.ErrUnsupported)
	}
	a := newAddition(g, opts.Foreign != nil)
	for subjects := g.Manifests; len(subjects) > 0; {
		roots, err := freshReferrers(ctx, src, lister, subjects, a.known, opts.ReferrerFilter, g.room)
		if err != nil {
			return err
		}
		attached, err := attachedTo(ctx, src, subjects, opts.ReferrerFilter, g.room)
		if err != nil {
			return err
		}
		if len(g.referrers)+len(g.attached)+len(roots)+len(attached) > content.MaxReferrers {
			return fmt.Errorf("%w: more than %d manifests refer to it", content.ErrUnsupported, content.MaxReferrers)
		}
		subjects = nil
		for _, root := range roots {
			manifests, err := a.take(ctx, src, root)
			if err != nil {
				return err
			}
			subjects = append(subjects, manifests...)
			g.referrers = append(g.referrers, manifests...)
		}
		for _, m := range attached {
			if !a.known[m.Descriptor.Digest] {
				manifests, err := a.take(ctx, src, m.Manifest)
				if err != nil {
					return fmt.Errorf("tag %s: %w", m.Tag, err)
				}
				subjects = append(subjects, manifests...)
				last := len(manifests) - 1
				g.referrers = append(g.referrers, manifests[:last]...)
				m.Manifest = manifests[last] // with its media type
			} else if g.room -= int64(len(m.Content)); g.room < 0 {
				return errReferrersTooLarge
			}
			g.attached = append(g.attached, m)
		}
	}
	return nil
}

// addition is what is added to a graph.
type addition struct {
	graph         *graph
	copiesForeign bool // see [Options].Foreign

	known, blobs, foreign map[digest.Digest]bool // in the graph
}

func newAddition(g *graph, copiesForeign bool) *addition {
	a := &addition{graph: g, copiesForeign: copiesForeign, known: map[digest.Digest]bool{}, blobs: map[digest.Digest]bool{}, foreign: map[digest.Digest]bool{}}
	for _, m := range g.Manifests {
		a.known[m.Descriptor.Digest] = true
	}
	for _, d := range g.Blobs {
		a.blobs[d.Digest] = true
	}
	for _, d := range g.Foreign {
		a.foreign[d.Digest] = true
	}
	return a
}

// take adds the blobs of a manifest and of what it names. It returns these manifests, root last.
func (a *addition) take(ctx context.Context, src content.Source, root content.Manifest) ([]content.Manifest, error) {
	tree, err := imagetree.ReadBelow(ctx, src, root, a.copiesForeign)
	if err != nil {
		return nil, err
	}
	for _, m := range tree.Manifests {
		a.known[m.Descriptor.Digest] = true
		a.graph.room -= int64(len(m.Content))
	}
	if a.graph.room < 0 {
		return nil, errReferrersTooLarge
	}
	for _, d := range tree.Blobs {
		if !a.blobs[d.Digest] {
			a.blobs[d.Digest] = true
			a.graph.Blobs = append(a.graph.Blobs, d)
		}
	}
	for _, d := range tree.Foreign {
		if !a.foreign[d.Digest] {
			a.foreign[d.Digest] = true
			a.graph.Foreign = append(a.graph.Foreign, d)
		}
	}
	return tree.Manifests, nil
}

// errReferrersTooLarge is the error of referrers that do not fit into memory.
var errReferrersTooLarge = fmt.Errorf("%w: the manifests that refer to it have more than %d bytes together", content.ErrUnsupported, imagetree.MaxTreeBytes)

// hasAttachments reports whether something refers to the image or is attached to it.
func (g *graph) hasAttachments() bool { return len(g.referrers) > 0 || len(g.attached) > 0 }

// freshReferrers reads the referrers of all subjects that are not known, and makes
// them known. A list may name anything: what does not itself refer to one of the
// subjects is not one, and is not copied as one with what is attached to it. Nor is what
// filter does not take.
func freshReferrers(ctx context.Context, src content.Source, lister content.ReferrerLister, subjects []content.Manifest, known map[digest.Digest]bool, filter func(types []string) bool, room int64) ([]content.Manifest, error) {
	found, subjectOf, err := referrersOf(ctx, lister, subjects)
	if err != nil {
		return nil, err
	}
	var fresh []content.Descriptor
	for _, d := range found {
		if err := content.CheckDescriptor(d); err != nil {
			return nil, err
		}
		if !known[d.Digest] {
			known[d.Digest] = true
			fresh = append(fresh, d)
		}
	}
	if len(fresh) > content.MaxReferrers {
		return nil, fmt.Errorf("%w: more than %d manifests refer to it", content.ErrUnsupported, content.MaxReferrers)
	}
	if content.TotalSize(fresh) > room {
		return nil, errReferrersTooLarge
	}
	manifests, err := imagetree.ReadManifests(ctx, src, fresh)
	if err != nil {
		return nil, imagetree.InReferrers(err, subjectOf)
	}
	wanted := map[digest.Digest]bool{}
	for _, m := range subjects {
		wanted[m.Descriptor.Digest] = true
	}
	var referrers []content.Manifest
	for _, m := range manifests {
		entry, subject, err := content.ReferrerOf(m)
		if err == nil && wanted[subject] && (filter == nil || filter([]string{entry.ArtifactType})) {
			referrers = append(referrers, m)
		} else {
			delete(known, m.Descriptor.Digest)
		}
	}
	return referrers, nil
}

// attachedTagsAtOnce is how many tags are looked for before what they name is counted, which is held in memory.
const attachedTagsAtOnce = 300

// attachedTo returns what is attached to all subjects by tags made of their digests, and that filter takes: at most room
// bytes.
func attachedTo(ctx context.Context, src content.Source, subjects []content.Manifest, filter func(types []string) bool, room int64) ([]content.TaggedManifest, error) {
	var attached []content.TaggedManifest
	for tags := range slices.Chunk(attachedTags(subjects), attachedTagsAtOnce) {
		found, err := findTags(ctx, src, tags)
		if err != nil {
			return nil, err
		}
		for _, tag := range tags {
			m, ok := found[tag]
			if !ok {
				continue
			}
			if filter != nil {
				types, err := AttachedTypes(m)
				if err != nil {
					return nil, fmt.Errorf("tag %s: %w", tag, err)
				}
				if !filter(types) {
					continue
				}
			}
			if room -= int64(len(m.Content)); room < 0 {
				return nil, errReferrersTooLarge
			}
			attached = append(attached, content.TaggedManifest{Manifest: m, Tag: tag})
		}
	}
	return attached, nil
}

// AttachedTypes returns the artifact type of what is attached by a tag, or of an image the media types of its
// layers; one that is empty if there are none. [Options.ReferrerFilter] is asked with them.
func AttachedTypes(m content.Manifest) ([]string, error) {
	if artifact := imagetree.ArtifactType(m.Content); artifact != "" {
		return []string{artifact}, nil
	}
	c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil {
		return nil, err
	}
	types := []string{}
	for _, d := range c.Blobs[min(1, len(c.Blobs)):] { // without the config
		types = append(types, d.MediaType)
	}
	if len(types) == 0 {
		types = append(types, "")
	}
	return types, nil
}

// referrersOf asks for the referrers of all subjects, and of which subject each is.
func referrersOf(ctx context.Context, lister content.ReferrerLister, subjects []content.Manifest) (all []content.Descriptor, subjectOf map[digest.Digest]digest.Digest, err error) {
	found := make([][]content.Descriptor, len(subjects))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(referrerListsAtOnce)
	for i, m := range subjects {
		group.Go(func() (err error) {
			found[i], err = lister.Referrers(ctx, m.Descriptor.Digest)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	subjectOf = map[digest.Digest]digest.Digest{}
	for i, list := range found {
		all = append(all, list...)
		for _, d := range list {
			subjectOf[d.Digest] = subjects[i].Descriptor.Digest
		}
	}
	return all, subjectOf, nil
}
