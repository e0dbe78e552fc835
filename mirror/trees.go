package mirror

import (
	"context"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// trees are the manifests of a source that were read, each once.
type trees struct {
	contents map[digest.Digest]content.ManifestContents
	// indexesOnly leaves the images of indexes unread.
	indexesOnly bool
}

// read reads the manifests of images and all below them: one call to src for the roots that are not in
// known, and one for each level. So many images of a repository take a few requests.
func (t trees) read(ctx context.Context, src content.Source, roots []digest.Digest, known map[digest.Digest]content.Manifest) error {
	roots = slices.DeleteFunc(slices.Clone(roots), func(d digest.Digest) bool { _, read := t.contents[d]; return read })
	level, err := readRoots(ctx, src, roots, known)
	for depth := 0; err == nil && len(level) > 0; depth++ {
		if depth > content.MaxTreeDepth {
			return fmt.Errorf("%w: %s has indexes nested more than %d deep", content.ErrUnsupported, src, content.MaxTreeDepth)
		}
		var next []content.Descriptor
		asked := map[digest.Digest]bool{}
		for _, m := range level {
			c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
			if err != nil {
				return fmt.Errorf("%s@%s: %w", src, m.Descriptor.Digest, err)
			}
			t.contents[m.Descriptor.Digest] = c
			for _, d := range c.Manifests {
				if _, read := t.contents[d.Digest]; !read && !asked[d.Digest] && (!t.indexesOnly || content.IsIndex(d.MediaType)) {
					asked[d.Digest] = true
					next = append(next, d)
				}
			}
		}
		var below []content.Manifest
		if below, err = content.ReadManifests(ctx, src, next); err != nil {
			return content.Named(src, content.ExplainMissingBelow(ctx, src, level, err))
		}
		level = below
	}
	return err
}

func readRoots(ctx context.Context, src content.Source, roots []digest.Digest, known map[digest.Digest]content.Manifest) (found []content.Manifest, err error) {
	var unknown []string
	for _, d := range roots {
		if m, ok := known[d]; ok {
			found = append(found, m)
		} else {
			unknown = append(unknown, string(d))
		}
	}
	var read []content.Manifest
	if all, ok := src.(content.BatchResolver); ok && len(unknown) > 0 {
		read, err = all.ResolveAll(ctx, unknown)
	} else {
		for _, reference := range unknown {
			m, err := src.Resolve(ctx, reference)
			if err != nil {
				return nil, err
			}
			read = append(read, m)
		}
	}
	if err != nil {
		return nil, err
	}
	for i, m := range read {
		if err := content.CheckResolved(src, unknown[i], m); err != nil {
			return nil, err
		}
	}
	return append(found, read...), nil
}

// under returns the digests of all manifests of a root, itself included.
func (t trees) under(root digest.Digest) (manifests []digest.Digest) {
	seen := map[digest.Digest]bool{}
	for next := []digest.Digest{root}; len(next) > 0; next = next[1:] {
		if d := next[0]; !seen[d] {
			seen[d] = true
			manifests = append(manifests, d)
			for _, child := range t.contents[d].Manifests {
				next = append(next, child.Digest)
			}
		}
	}
	return manifests
}

// blobs returns the blobs of the images, each once, and how many manifests there are.
func (t trees) blobs(roots []digest.Digest) (blobs []content.Descriptor, manifests int) {
	seenBlob, seenManifest := map[digest.Digest]bool{}, map[digest.Digest]bool{}
	for _, root := range roots {
		for _, d := range t.under(root) {
			if seenManifest[d] {
				continue
			}
			seenManifest[d] = true
			for _, blob := range t.contents[d].Blobs {
				if !seenBlob[blob.Digest] {
					seenBlob[blob.Digest] = true
					blobs = append(blobs, blob)
				}
			}
		}
	}
	return blobs, len(seenManifest)
}
