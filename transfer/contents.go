package transfer

import (
	"context"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Contents is all that a copy of an image moves.
type Contents struct {
	Root content.Manifest
	// Manifests are Root, what it names and what refers to them: children before their index, subjects
	// before what refers to them. Each is listed once.
	Manifests []content.Manifest
	// Attached are those of the manifests that belong to others by a tag made of their digest.
	Attached []content.TaggedManifest
	Blobs    []content.Descriptor // each once
	Foreign  []content.Descriptor // non-distributable layers, which are left out of Blobs without Options.Foreign
}

// ReadContents reads the manifests of the image that opts choose, as [Copy] does, and nothing else: what
// Reference, Platforms and Referrers name. Options.Verify may refuse it.
func ReadContents(ctx context.Context, src content.Source, opts Options) (Contents, error) {
	manifests := opts.manifestsOf(src)
	resolved, root, err := resolveRoot(ctx, manifests, nil, opts)
	if err != nil {
		return Contents{}, err
	}
	g, err := readGraph(ctx, src, root, opts)
	if err != nil {
		return Contents{}, imagetree.Named(manifests, imagetree.ExplainMissing(ctx, manifests, resolved, err))
	}
	c := Contents{Root: root, Blobs: g.Blobs, Foreign: g.Foreign, Attached: g.attached, Manifests: append(g.Manifests, g.referrers...)}
	for _, m := range g.attached {
		c.Manifests = append(c.Manifests, m.Manifest)
	}
	return c, nil
}
