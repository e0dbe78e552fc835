// Package imagetree reads an image with everything below it: the manifests of an index level by
// level, each verified, the platforms and artifact types of its entries, and configs. It bounds how
// much is read, and its errors name the index, list or endpoint in which something is wrong.
//
// Copies, mirrors, signatures and the proxy read images by it. Endpoints do not need it: what they
// implement is in package content.
package imagetree

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// MaxTreeDepth bounds how deep indexes may be nested.
	MaxTreeDepth = 8
	// MaxTreeBytes bounds the manifests of one image, and those that refer to it, in bytes: they are held in memory.
	MaxTreeBytes = 128 << 20
)

// Tree is all that one manifest names, each once.
type Tree struct {
	Manifests []content.Manifest // children before their index, the root last
	Blobs     []content.Descriptor
	Foreign   []content.Descriptor // layers that are left out: their bytes are at their URLs
}

// node is a manifest and what it names.
type node struct {
	content.Manifest
	content.ManifestContents
	foreign []content.Descriptor // layers that were left out of Blobs
}

// ReadTree returns the manifests of root, an image or an index: children before the
// index that names them, root last, each once, with the media type that it has. The
// error wraps [content.ErrNotFound] if one is missing, and [content.ErrIntegrity] if one is not
// what its descriptor says.
func ReadTree(ctx context.Context, src content.Source, root content.Manifest) ([]content.Manifest, error) {
	root, err := content.CheckManifest(root)
	if err != nil {
		return nil, Named(src, err)
	}
	g, err := ReadBelow(ctx, src, root, true)
	if err != nil {
		return nil, Named(src, err)
	}
	return g.Manifests, nil
}

// ReadBelow reads the manifests below root, one call to src per level, and
// verifies all of them. Without foreign, the non-distributable layers are left out of
// the blobs; one that has no URL is [content.ErrForeign].
func ReadBelow(ctx context.Context, src content.ManifestReader, root content.Manifest, foreign bool) (Tree, error) {
	nodes := map[digest.Digest]node{}
	total := int64(0)
	level := []content.Manifest{root}
	for depth := 0; len(level) > 0; depth++ {
		if depth > MaxTreeDepth {
			return Tree{}, fmt.Errorf("%w: %s has indexes nested more than %d deep", content.ErrUnsupported, root.Descriptor.Digest, MaxTreeDepth)
		}
		var next []content.Descriptor
		asked := map[digest.Digest]digest.Digest{} // by which index
		for _, m := range level {
			c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
			n := node{Manifest: m, ManifestContents: c}
			if err == nil && !foreign {
				err = n.leaveOutForeign()
			}
			if err != nil {
				return Tree{}, fmt.Errorf("manifest %s: %w", m.Descriptor.Digest, err)
			}
			n.Descriptor.MediaType = c.MediaType
			nodes[m.Descriptor.Digest] = n
			for _, d := range c.Manifests {
				if _, known := nodes[d.Digest]; !known && asked[d.Digest] == "" {
					asked[d.Digest] = m.Descriptor.Digest
					next = append(next, d)
					total += d.Size
				}
			}
		}
		if total > MaxTreeBytes {
			return Tree{}, fmt.Errorf("%w: the manifests below %s have more than %d bytes together", content.ErrUnsupported, root.Descriptor.Digest, MaxTreeBytes)
		}
		var err error
		if level, err = ReadManifests(ctx, src, next); err != nil {
			err = inList(err, func(d digest.Digest) string { return "index " + string(asked[d]) })
			return Tree{}, ExplainMissing(ctx, src, root, err)
		}
	}
	return flatten(nodes, root.Descriptor.Digest)
}

// ReadManifests reads and verifies the manifests of descriptors.
func ReadManifests(ctx context.Context, src content.ManifestReader, descriptors []content.Descriptor) ([]content.Manifest, error) {
	if len(descriptors) == 0 {
		return nil, nil
	}
	manifests, err := src.Manifests(ctx, descriptors)
	if err != nil {
		return nil, err
	}
	if len(manifests) != len(descriptors) {
		return nil, fmt.Errorf("asked for %d manifests, got %d", len(descriptors), len(manifests))
	}
	for i, d := range descriptors {
		if err := content.VerifyManifest(manifests[i], d); err != nil {
			return nil, err
		}
		manifests[i].Descriptor = d
	}
	return manifests, nil
}

// flatten puts the nodes below root in an order in which they may be written.
func flatten(nodes map[digest.Digest]node, root digest.Digest) (Tree, error) {
	var t Tree
	sizes := map[digest.Digest]int64{}
	at := map[digest.Digest]int{} // where a blob is in t.Blobs
	visited, left := map[digest.Digest]bool{}, map[digest.Digest]bool{}
	var visit func(digest.Digest) error
	visit = func(name digest.Digest) error {
		if visited[name] {
			return nil
		}
		visited[name] = true
		n := nodes[name]
		for _, d := range n.ManifestContents.Manifests {
			if size := nodes[d.Digest].Descriptor.Size; size != d.Size {
				return InIndex(&content.SizeError{Object: "manifest " + string(d.Digest), Digest: d.Digest, Has: size, Says: d.Size}, name)
			}
			if err := visit(d.Digest); err != nil {
				return err
			}
		}
		for _, d := range n.Blobs {
			size, known := sizes[d.Digest]
			if known && size != d.Size {
				return fmt.Errorf("%w: blob %s is named with %d and with %d bytes", content.ErrIntegrity, d.Digest, size, d.Size)
			}
			if !known {
				sizes[d.Digest], at[d.Digest] = d.Size, len(t.Blobs)
				t.Blobs = append(t.Blobs, d)
			} else if b := &t.Blobs[at[d.Digest]]; b.Data == nil {
				b.Data = d.Data
			}
		}
		for _, d := range n.foreign {
			if !left[d.Digest] {
				left[d.Digest] = true
				t.Foreign = append(t.Foreign, d)
			}
		}
		t.Manifests = append(t.Manifests, n.Manifest)
		return nil
	}
	return t, visit(root)
}
