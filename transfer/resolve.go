package transfer

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// resolve finds out which image is copied, which [Options].Verify may refuse, and reads
// everything that belongs to it.
func resolve(ctx context.Context, src content.Source, all []*delivery, opts Options) graph {
	manifests := opts.manifestsOf(src)
	resolved, root, err := resolveRoot(ctx, manifests, all, opts)
	if err != nil {
		failAll(all, err)
		return graph{}
	}
	each(all, func(t *delivery) error { return t.begin(manifests, root) })
	g, err := readGraph(ctx, src, root, opts)
	if err != nil {
		failAll(all, imagetree.Named(manifests, imagetree.ExplainMissing(ctx, manifests, resolved, err)))
	}
	g.resolved = resolved
	return g
}

// explain names the platforms in the error of a delivery for which the files of the source
// do not have a blob.
func explain(ctx context.Context, src content.Source, g graph, err error) error {
	var absent *content.AbsentError
	if !errors.As(err, &absent) {
		return err
	}
	var incomplete *content.IncompleteError
	explained := imagetree.ExplainMissing(ctx, src, g.resolved, err)
	if !errors.As(explained, &incomplete) {
		return err
	}
	return imagetree.Named(src, explained)
}

// resolveRoot returns what was asked for and the image to be copied, which Options.Verify has accepted.
func resolveRoot(ctx context.Context, src content.Source, all []*delivery, opts Options) (resolved, chosen content.Manifest, err error) {
	resolved, chosen, err = resolveChosen(ctx, src, opts)
	if err == nil && chosen.Descriptor.Digest != resolved.Descriptor.Digest {
		for _, t := range all {
			t.subsetOf = resolved.Descriptor.Digest
		}
	}
	if err == nil && len(all) == 1 && len(opts.Platforms) == 0 {
		if _, ok := all[0].Target.(content.SingleImageTarget); ok {
			chosen, err = chooseForMachine(ctx, src, chosen)
		}
	}
	if err == nil && opts.Verify != nil {
		err = opts.Verify(ctx, resolved, chosen)
	}
	return resolved, chosen, err
}

// resolveChosen returns the manifest that opts name, and what they choose of it.
func resolveChosen(ctx context.Context, src content.Source, opts Options) (resolved, chosen content.Manifest, err error) {
	if opts.root != nil {
		return *opts.root, *opts.root, nil
	}
	if resolved, err = imagetree.ResolveTyped(ctx, src, opts.Reference); err != nil {
		return content.Manifest{}, content.Manifest{}, err
	}
	if chosen, err = selectPlatforms(ctx, src, resolved, opts.Platforms, opts.KeepDigest); err != nil {
		return content.Manifest{}, content.Manifest{}, imagetree.Named(src, err)
	}
	return resolved, chosen, nil
}

// chooseForMachine returns, of an index, the image for Linux on this machine.
func chooseForMachine(ctx context.Context, src content.Source, root content.Manifest) (content.Manifest, error) {
	if c, err := content.DecodeManifest(root.Content, root.Descriptor.MediaType); err != nil || c.Manifests == nil {
		return root, nil // what is wrong with it is found out later
	}
	image, err := selectPlatforms(ctx, src, root, []content.Platform{{OS: "linux", Architecture: runtime.GOARCH}}, false)
	if err != nil {
		return content.Manifest{}, fmt.Errorf("%s: %w; %w", src, err, content.ErrPlatformNeeded)
	}
	return image, nil
}
