package transfer

import (
	"context"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// graph is all that belongs to one manifest.
type graph struct {
	imagetree.Tree
	resolved  content.Manifest         // what was asked for, of which root may be one platform
	referrers []content.Manifest       // what refers to the manifests, each after its subject
	attached  []content.TaggedManifest // to the manifests, by tags made of their digests

	room int64 // how many more bytes referrers and attached may have, which are held in memory
}

// readGraph reads what belongs to root. src has the blobs; what else is read comes from opts.manifestsOf(src).
func readGraph(ctx context.Context, src content.Source, root content.Manifest, opts Options) (graph, error) {
	manifests := opts.manifestsOf(src)
	tree, err := imagetree.ReadBelow(ctx, manifests, root, opts.Foreign != nil)
	g := graph{Tree: tree, room: imagetree.MaxTreeBytes}
	if _, local := src.(content.FileReader); local {
		for i := 0; i < len(tree.Manifests) && err == nil; i++ {
			err = imagetree.CheckLayerCount(ctx, src, tree.Manifests[i])
		}
	}
	if err == nil && opts.Referrers {
		err = g.addReferrers(ctx, manifests, opts)
	}
	return g, err
}
