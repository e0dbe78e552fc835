package transfer

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"
)

const (
	// maxGraphDepth bounds how deep indexes may be nested.
	maxGraphDepth = 8
	// maxGraphBytes bounds the manifests of one image, which are held in memory.
	maxGraphBytes = 128 << 20
)

// Tree is all that one manifest names, each once.
type Tree struct {
	Manifests []Manifest // children before their index, the root last
	Blobs     []Descriptor
}

// graph is all that belongs to one manifest.
type graph struct {
	Tree
	referrers []Manifest       // what refers to the manifests, each after its subject
	attached  []taggedManifest // to the manifests, by tags made of their digests
}

// node is a manifest and what it names.
type node struct {
	Manifest
	contents
}

// readGraph reads what belongs to root.
func readGraph(ctx context.Context, src Source, root Manifest, opts Options) (graph, error) {
	tree, err := readTree(ctx, src, root, opts.Foreign != nil)
	g := graph{Tree: tree}
	if err == nil && opts.Referrers {
		err = g.addReferrers(ctx, src, opts.Foreign != nil)
	}
	return g, err
}

// CheckManifest gives m with the media type that it has. The error wraps
// [ErrIntegrity] if it is not what its descriptor says.
func CheckManifest(m Manifest) (Manifest, error) {
	err := checkDescriptor(m.Descriptor)
	if err == nil {
		err = verifyManifest(m, m.Descriptor)
	}
	if err != nil {
		return Manifest{}, err
	}
	c, err := decodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil {
		return Manifest{}, fmt.Errorf("manifest %s: %w", m.Descriptor.Digest, err)
	}
	m.Descriptor.MediaType = c.mediaType
	return m, nil
}

// ReadTree gives the manifests of root, an image or an index: children before the
// index that names them, root last, each once, with the media type that it has. The
// error wraps [ErrNotFound] if one is not there, and [ErrIntegrity] if one is not
// what its descriptor says.
func ReadTree(ctx context.Context, src Source, root Manifest) ([]Manifest, error) {
	root, err := CheckManifest(root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src, err)
	}
	g, err := readTree(ctx, src, root, true)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src, err)
	}
	return g.Manifests, nil
}

// readTree reads the manifests below root, one call to src per level, and
// verifies all of them.
func readTree(ctx context.Context, src ManifestReader, root Manifest, foreign bool) (Tree, error) {
	nodes := map[digest.Digest]node{}
	total := int64(0)
	level := []Manifest{root}
	for depth := 0; len(level) > 0; depth++ {
		if depth > maxGraphDepth {
			return Tree{}, fmt.Errorf("%w: %s has indexes nested more than %d deep", ErrUnsupported, root.Descriptor.Digest, maxGraphDepth)
		}
		var next []Descriptor
		asked := map[digest.Digest]bool{}
		for _, m := range level {
			c, err := decodeManifest(m.Content, m.Descriptor.MediaType)
			if err == nil && !foreign {
				err = c.refuseForeign()
			}
			if err != nil {
				return Tree{}, fmt.Errorf("manifest %s: %w", m.Descriptor.Digest, err)
			}
			m.Descriptor.MediaType = c.mediaType
			nodes[m.Descriptor.Digest] = node{m, c}
			for _, d := range c.manifests {
				if _, known := nodes[d.Digest]; !known && !asked[d.Digest] {
					asked[d.Digest] = true
					next = append(next, d)
					total += d.Size
				}
			}
		}
		if total > maxGraphBytes {
			return Tree{}, fmt.Errorf("%w: the manifests below %s have more than %d bytes together", ErrUnsupported, root.Descriptor.Digest, maxGraphBytes)
		}
		var err error
		if level, err = readLevel(ctx, src, next); err != nil {
			return Tree{}, err
		}
	}
	return flatten(nodes, root.Descriptor.Digest)
}

// readLevel reads and verifies the manifests of descriptors.
func readLevel(ctx context.Context, src ManifestReader, descriptors []Descriptor) ([]Manifest, error) {
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
		if err := verifyManifest(manifests[i], d); err != nil {
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
	visited := map[digest.Digest]bool{}
	var visit func(digest.Digest) error
	visit = func(name digest.Digest) error {
		if visited[name] {
			return nil
		}
		visited[name] = true
		n := nodes[name]
		for _, d := range n.contents.manifests {
			if size := nodes[d.Digest].Descriptor.Size; size != d.Size {
				return fmt.Errorf("%w: %s has %d bytes, %s says %d", ErrIntegrity, d.Digest, size, name, d.Size)
			}
			if err := visit(d.Digest); err != nil {
				return err
			}
		}
		for _, d := range n.blobs {
			size, known := sizes[d.Digest]
			if known && size != d.Size {
				return fmt.Errorf("%w: blob %s is named with %d and with %d bytes", ErrIntegrity, d.Digest, size, d.Size)
			}
			if !known {
				sizes[d.Digest] = d.Size
				t.Blobs = append(t.Blobs, d)
			}
		}
		t.Manifests = append(t.Manifests, n.Manifest)
		return nil
	}
	return t, visit(root)
}
