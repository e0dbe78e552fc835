package mirror

import (
	"context"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// trees are the manifests of a source that were read, each once.
type trees struct {
	contents map[digest.Digest]content.ManifestContents
	sizes    map[digest.Digest]int64 // in bytes
	// indexesOnly leaves the images of indexes unread.
	indexesOnly bool
	// most is how many bytes the manifests of one image may have: a copy takes no more.
	most int64
}

func newTrees(indexesOnly bool) trees {
	return trees{contents: map[digest.Digest]content.ManifestContents{}, sizes: map[digest.Digest]int64{}, indexesOnly: indexesOnly, most: imagetree.MaxTreeBytes}
}

// room returns how many bytes the manifests of n images may have: as many as those of one, and where there are many
// images, each at least a 1024th of that.
func (t trees) room(n int) int64 { return max(t.most, int64(n)*(t.most>>10)) }

// read reads the manifests of images and all below them: one call to src for the roots that are not in
// known, and one for each level. So many images of a repository take a few requests. What is read is bounded before,
// and then what belongs to each root, since a manifest may belong to many.
func (t trees) read(ctx context.Context, src content.Source, roots []digest.Digest, known map[digest.Digest]content.Manifest) error {
	unread := slices.DeleteFunc(slices.Clone(roots), func(d digest.Digest) bool { _, read := t.contents[d]; return read })
	b := t.budget(src, len(roots))
	level, err := readRoots(ctx, src, unread, known, b)
	for depth := 0; err == nil && len(level) > 0; depth++ {
		if depth > imagetree.MaxTreeDepth {
			return fmt.Errorf("%w: %s has indexes nested more than %d deep", content.ErrUnsupported, src, imagetree.MaxTreeDepth)
		}
		var next []content.Descriptor
		asked := map[digest.Digest]bool{}
		for _, m := range level {
			c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
			if err != nil {
				return fmt.Errorf("%s@%s: %w", src, m.Descriptor.Digest, err)
			}
			t.contents[m.Descriptor.Digest], t.sizes[m.Descriptor.Digest] = c, int64(len(m.Content))
			for _, d := range c.Manifests {
				if _, read := t.contents[d.Digest]; !read && !asked[d.Digest] && (!t.indexesOnly || content.IsIndex(d.MediaType)) {
					asked[d.Digest] = true
					next = append(next, d)
					if err := b.take(d, b.roots[m.Descriptor.Digest]); err != nil {
						return err
					}
				}
			}
		}
		var below []content.Manifest
		if below, err = imagetree.ReadManifests(ctx, src, next); err != nil {
			return imagetree.Named(src, imagetree.ExplainMissingBelow(ctx, src, level, err))
		}
		level = below
	}
	if err != nil {
		return err
	}
	return t.checkRoots(src, roots)
}

// treeBudget is how many bytes the manifests may have that are read.
type treeBudget struct {
	src   content.Source
	most  int64                           // of one root
	all   int64                           // of all, those that are left
	roots map[digest.Digest]digest.Digest // through which root a manifest was found first
	taken map[digest.Digest]int64         // by root
}

// budget is for what is read of n images.
func (t trees) budget(src content.Source, n int) *treeBudget {
	return &treeBudget{src: src, most: t.most, all: t.room(n), roots: map[digest.Digest]digest.Digest{}, taken: map[digest.Digest]int64{}}
}

// take counts a manifest, before it is read, that was found through a root.
func (b *treeBudget) take(d content.Descriptor, root digest.Digest) error {
	b.roots[d.Digest] = root
	b.taken[root] += d.Size
	b.all -= d.Size
	switch {
	case b.taken[root] > b.most:
		return tooLarge(b.src, root, b.most)
	case b.all < 0:
		return tooLargeTogether(b.src)
	}
	return nil
}

func tooLarge(src content.Source, root digest.Digest, most int64) error {
	return fmt.Errorf("%s@%s: %w: the manifests of this image have more than %d bytes together; leave its tags out", src, root, content.ErrUnsupported, most)
}

func tooLargeTogether(src content.Source) error {
	return fmt.Errorf("%s: %w: the manifests of the selected images are too large together; select fewer tags", src, content.ErrUnsupported)
}

// checkRoots bounds what belongs to each root, and to all of them, with what several have in common counted for each.
func (t trees) checkRoots(src content.Source, roots []digest.Digest) error {
	left := t.room(len(roots))
	for _, root := range roots {
		total := int64(0)
		t.walk(root, map[digest.Digest]bool{}, func(d digest.Digest) bool {
			total += t.sizes[d]
			return total <= t.most
		})
		if total > t.most {
			return tooLarge(src, root, t.most)
		}
		if left -= total; left < 0 {
			return tooLargeTogether(src)
		}
	}
	return nil
}

// readRoots reads manifests that are not in known. Each of all is taken from the budget, as soon as it is read.
func readRoots(ctx context.Context, src content.Source, roots []digest.Digest, known map[digest.Digest]content.Manifest, b *treeBudget) (found []content.Manifest, err error) {
	var unknown []string
	for _, d := range roots {
		if m, ok := known[d]; ok {
			if err := b.take(m.Descriptor, m.Descriptor.Digest); err != nil {
				return nil, err
			}
			found = append(found, m)
		} else {
			unknown = append(unknown, string(d))
		}
	}
	all, ok := src.(content.BatchResolver)
	if !ok {
		for _, reference := range unknown {
			m, err := src.Resolve(ctx, reference)
			if err == nil {
				err = addRoot(&found, src, reference, m, b)
			}
			if err != nil {
				return nil, err
			}
		}
		return found, nil
	}
	if len(unknown) == 0 {
		return found, nil
	}
	read, err := all.ResolveAll(ctx, unknown)
	if err != nil {
		return nil, err
	}
	for i, m := range read {
		if err := addRoot(&found, src, unknown[i], m, b); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func addRoot(found *[]content.Manifest, src content.Source, reference string, m content.Manifest, b *treeBudget) error {
	if err := imagetree.CheckResolved(src, reference, m); err != nil {
		return err
	}
	*found = append(*found, m)
	return b.take(m.Descriptor, m.Descriptor.Digest)
}

// walk calls visit for each manifest of a root that is not in seen, itself included, until it returns false.
func (t trees) walk(root digest.Digest, seen map[digest.Digest]bool, visit func(digest.Digest) bool) {
	for next := []digest.Digest{root}; len(next) > 0; next = next[1:] {
		if d := next[0]; !seen[d] {
			seen[d] = true
			if !visit(d) {
				return
			}
			for _, child := range t.contents[d].Manifests {
				next = append(next, child.Digest)
			}
		}
	}
}

// under returns the digests of all manifests of a root, itself included.
func (t trees) under(root digest.Digest) (manifests []digest.Digest) {
	t.walk(root, map[digest.Digest]bool{}, func(d digest.Digest) bool {
		manifests = append(manifests, d)
		return true
	})
	return manifests
}

// blobs returns the blobs of the images, each once, and how many manifests there are.
func (t trees) blobs(roots []digest.Digest) (blobs []content.Descriptor, manifests int) {
	seenBlob, seenManifest := map[digest.Digest]bool{}, map[digest.Digest]bool{}
	for _, root := range roots {
		t.walk(root, seenManifest, func(d digest.Digest) bool {
			for _, blob := range t.contents[d].Blobs {
				if !seenBlob[blob.Digest] {
					seenBlob[blob.Digest] = true
					blobs = append(blobs, blob)
				}
			}
			return true
		})
	}
	return blobs, len(seenManifest)
}
