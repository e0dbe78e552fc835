// Package memo remembers what a repository has answered about its manifests: an image of many is read to be planned, and
// again to be copied.
package memo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/mirror/internal/manifestcache"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Repository is a repository whose manifests and lists are asked for once, many at a time where it can be.
type Repository struct {
	content.Source
	// known are manifests that need not be asked for.
	known map[digest.Digest]content.Manifest
	// subjects and tags are those of the repository's list of images; nil if it has none.
	subjects map[digest.Digest]bool
	tags     map[string]bool

	first sync.Mutex // for asked
	asked bool       // whether referrers were listed once

	mu        sync.Mutex
	manifests map[digest.Digest]content.Manifest
	referrers map[digest.Digest][]content.Descriptor
	found     map[string]map[string]content.Manifest // by the tags that were asked for
	room      *Room                                  // for manifests; nil is any number
	kept      manifestcache.Repository               // what earlier processes have read
}

// Room is how many bytes of manifests several repositories may remember together.
type Room struct{ left atomic.Int64 }

// NewRoom returns room for so many bytes.
func NewRoom(bytes int64) *Room {
	r := &Room{}
	r.left.Store(bytes)
	return r
}

// take reports whether there is room for a manifest.
func (r *Room) take(m content.Manifest) bool {
	if r == nil {
		return true
	}
	size := int64(len(m.Content))
	if r.left.Add(-size) < 0 {
		r.left.Add(size)
		return false
	}
	return true
}

// Empty returns src with a memory that is empty at first. A manifest for which there is no room, and that is not in kept, is asked
// for each time.
func Empty(src content.Source, room *Room, kept manifestcache.Repository) *Repository {
	return &Repository{Source: src, manifests: map[digest.Digest]content.Manifest{}, referrers: map[digest.Digest][]content.Descriptor{},
		found: map[string]map[string]content.Manifest{}, room: room, kept: kept}
}

// Add remembers manifests that were read in another way.
func (m *Repository) Add(manifests map[digest.Digest]content.Manifest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for d, read := range manifests {
		m.remember(d, read)
	}
}

// AddReferrers remembers what refers to a manifest.
func (m *Repository) AddReferrers(subject digest.Digest, referrers []content.Descriptor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.referrers[subject] = referrers
}

// SetTags notes which tags the repository has, so that it is not asked for others.
func (m *Repository) SetTags(names map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tags = names
}

// Remembered returns a manifest that is in the memory.
func (m *Repository) Remembered(d digest.Digest) (content.Manifest, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.manifests[d]
	return found, ok
}

// recall returns a manifest that was read before, by this process or an earlier one.
func (m *Repository) recall(d digest.Digest) (content.Manifest, bool) {
	if found, ok := m.Remembered(d); ok {
		return found, true
	}
	if found, ok := m.known[d]; ok {
		return found, true
	}
	found, ok := m.kept.Get(d)
	if ok {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.remember(d, found)
	}
	return found, ok
}

// remember notes a manifest; the caller holds the lock.
func (m *Repository) remember(d digest.Digest, read content.Manifest) {
	if _, known := m.manifests[d]; !known && m.room.take(read) {
		m.manifests[d] = read
	}
}

// New returns src with a memory, and reads images into it, with all that indexes among them name, as far as they are not
// known. listed are all images of src; nil if it lists only tags. A source of which each manifest is a request is asked only for
// what kept does not have.
func New(ctx context.Context, src content.Source, listed []content.Image, images []digest.Digest, known map[digest.Digest]content.Manifest, kept manifestcache.Repository) (*Repository, error) {
	if _, counted := src.(content.DigestFinder); !counted {
		kept = manifestcache.Repository{}
	}
	m := Empty(src, nil, kept)
	m.known = known
	if listed != nil {
		m.subjects, m.tags = map[digest.Digest]bool{}, map[string]bool{}
		for _, image := range listed {
			m.subjects[image.Subject] = true
			for _, tag := range image.Tags {
				m.tags[tag] = true
			}
		}
	}
	return m, m.read(ctx, images)
}

// read reads images, and what indexes name, level by level.
func (m *Repository) read(ctx context.Context, images []digest.Digest) error {
	all, ok := m.Source.(content.BatchResolver)
	if !ok || len(images) == 0 {
		return nil // one by one, when they are asked for
	}
	var references []string
	var level []content.Manifest
	for _, image := range images {
		if root, ok := m.known[image]; ok {
			level = append(level, root)
		} else {
			references = append(references, string(image))
		}
	}
	if len(references) > 0 {
		roots, err := all.ResolveAll(ctx, references)
		if err != nil {
			return err
		}
		for i, root := range roots {
			if err := imagetree.CheckResolved(m.Source, references[i], root); err != nil {
				return err
			}
		}
		level = append(level, roots...)
	}
	for depth := 0; len(level) > 0 && depth <= imagetree.MaxTreeDepth; depth++ {
		var next []content.Descriptor
		named := map[digest.Digest]bool{}
		for _, root := range level {
			m.manifests[root.Descriptor.Digest] = root
			c, err := content.DecodeManifest(root.Content, root.Descriptor.MediaType)
			if err != nil {
				return fmt.Errorf("%s@%s: %w", m.Source, root.Descriptor.Digest, err)
			}
			for _, d := range c.Manifests {
				if _, known := m.manifests[d.Digest]; !known && !named[d.Digest] {
					named[d.Digest] = true
					next = append(next, d)
				}
			}
		}
		level = nil
		unknown := slices.DeleteFunc(next, func(d content.Descriptor) bool {
			child, ok := m.known[d.Digest]
			if ok = ok && content.VerifyManifest(child, d) == nil; ok {
				level = append(level, child)
			}
			return ok
		})
		read, err := imagetree.ReadManifests(ctx, m.Source, unknown)
		if err != nil {
			return err
		}
		level = append(level, read...)
	}
	return nil
}

// Resolve remembers what a digest names; a tag may move.
func (m *Repository) Resolve(ctx context.Context, reference string) (content.Manifest, error) {
	if known, ok := m.recall(digest.Digest(reference)); ok {
		return known, nil
	}
	found, err := m.Source.Resolve(ctx, reference)
	if err == nil && found.Descriptor.Digest == digest.FromBytes(found.Content) {
		m.kept.Put(found)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.remember(found.Descriptor.Digest, found)
	}
	return found, err
}

// Manifests asks for what is not remembered.
func (m *Repository) Manifests(ctx context.Context, descriptors []content.Descriptor) ([]content.Manifest, error) {
	known := map[digest.Digest]content.Manifest{}
	unknown := slices.DeleteFunc(slices.Clone(descriptors), func(d content.Descriptor) bool {
		found, ok := m.recall(d.Digest)
		if ok = ok && content.VerifyManifest(found, d) == nil; ok {
			known[d.Digest] = found
		}
		return ok
	})
	if len(unknown) > 0 {
		read, err := m.Source.Manifests(ctx, unknown)
		if err != nil {
			return nil, err
		}
		m.mu.Lock()
		for i, d := range unknown {
			known[d.Digest] = read[i]
			if content.VerifyManifest(read[i], d) == nil {
				m.kept.Put(read[i])
				m.remember(d.Digest, read[i])
			}
		}
		m.mu.Unlock()
	}
	manifests := make([]content.Manifest, len(descriptors))
	for i, d := range descriptors {
		manifests[i] = known[d.Digest]
	}
	return manifests, nil
}

// Referrers asks once, and not at all where the list of images or of tags shows that there are none.
func (m *Repository) Referrers(ctx context.Context, subject digest.Digest) ([]content.Descriptor, error) {
	if m.subjects != nil && !m.subjects[subject] || m.lacksList(subject) {
		return nil, nil
	}
	m.mu.Lock()
	known, ok := m.referrers[subject]
	m.mu.Unlock()
	if ok {
		return known, nil
	}
	lister, ok := m.Source.(content.ReferrerLister)
	if !ok {
		return nil, fmt.Errorf("%s: %w: it cannot tell what refers to an image", m.Source, content.ErrUnsupported)
	}
	found, err := m.ask(ctx, lister, subject)
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.referrers[subject] = found
	}
	return found, err
}

// ask asks for the referrers of one manifest before those of others: the answer shows where the registry has its lists.
func (m *Repository) ask(ctx context.Context, lister content.ReferrerLister, subject digest.Digest) ([]content.Descriptor, error) {
	m.first.Lock()
	if m.asked {
		m.first.Unlock()
		if m.lacksList(subject) {
			return nil, nil
		}
		return lister.Referrers(ctx, subject)
	}
	defer m.first.Unlock()
	m.mu.Lock()
	tags := m.tags
	m.mu.Unlock()
	found, err := content.ReferrersAmong(ctx, lister, subject, tags)
	m.asked = err == nil
	return found, err
}

// lacksList reports whether the repository keeps lists of referrers in tags, and has none for subject.
func (m *Repository) lacksList(subject digest.Digest) bool {
	byTag, ok := m.Source.(content.ReferrerTagger)
	m.mu.Lock()
	defer m.mu.Unlock()
	return ok && m.tags != nil && byTag.ReferrersByTag() && !m.tags[content.DigestTag(subject, content.DigestTagReferrers)]
}

// FindTags asks once, and not at all for tags that the list of images does not have.
func (m *Repository) FindTags(ctx context.Context, tags []string) (map[string]content.Manifest, error) {
	m.mu.Lock()
	names := m.tags
	m.mu.Unlock()
	if names != nil {
		tags = slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return !names[tag] })
	}
	if len(tags) == 0 {
		return nil, nil
	}
	key := strings.Join(tags, " ")
	m.mu.Lock()
	known, ok := m.found[key]
	m.mu.Unlock()
	if ok {
		return maps.Clone(known), nil
	}
	var found map[string]content.Manifest
	var err error
	if finder, ok := m.Source.(content.DigestFinder); ok && !m.kept.IsZero() {
		found, err = m.findKept(ctx, finder, tags)
	} else if finder, ok := m.Source.(content.TagFinder); ok {
		found, err = finder.FindTags(ctx, tags)
	} else {
		found, err = imagetree.ResolveTags(ctx, tags, m.Source.Resolve)
	}
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.found[key] = found
	}
	return maps.Clone(found), err
}

// findKept finds out what tags name without a pull, and reads only what is not remembered.
func (m *Repository) findKept(ctx context.Context, finder content.DigestFinder, tags []string) (map[string]content.Manifest, error) {
	digests, err := finder.FindDigests(ctx, tags)
	if err != nil {
		return nil, err
	}
	return imagetree.ResolveTags(ctx, slices.Sorted(maps.Keys(digests)), func(ctx context.Context, tag string) (content.Manifest, error) {
		return m.Resolve(ctx, string(digests[tag]))
	})
}
