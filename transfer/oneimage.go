package transfer

import (
	"context"
	"fmt"
	"runtime"
)

// imageTarget is a [Target] that takes one image, and no index.
type imageTarget interface {
	// CheckImage tells why the target cannot take what was asked for, before
	// anything is copied. The error wraps [ErrUnsupported] or [ErrConflict].
	CheckImage(ctx context.Context, m Manifest) error
}

// resolveFor gives the image to be copied, which Options.Verify has accepted.
func resolveFor(ctx context.Context, src Source, opts Options, all []*delivery) (Manifest, error) {
	resolved, chosen, err := resolve(ctx, src, opts)
	if err == nil && len(all) == 1 && len(opts.Platforms) == 0 {
		if _, ok := all[0].Target.(imageTarget); ok {
			chosen, err = chooseForMachine(ctx, src, chosen)
		}
	}
	if err == nil && opts.Verify != nil {
		err = opts.Verify(ctx, resolved, chosen)
	}
	return chosen, err
}

// chooseForMachine gives, of an index, the image for Linux on this machine.
func chooseForMachine(ctx context.Context, src Source, root Manifest) (Manifest, error) {
	if c, err := decodeManifest(root.Content, root.Descriptor.MediaType); err != nil || c.manifests == nil {
		return root, nil // what is wrong with it is found out later
	}
	image, err := selectPlatforms(ctx, src, root, []Platform{{OS: "linux", Architecture: runtime.GOARCH}}, false)
	if err != nil {
		return Manifest{}, fmt.Errorf("%s: %w; choose one with --platform", src, err)
	}
	return image, nil
}
