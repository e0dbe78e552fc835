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

// resolveFor is [resolve] for a destination. One that takes an image only gets,
// of an index, that for Linux on this machine, unless opts name another platform.
func resolveFor(ctx context.Context, src Source, opts Options, all []*delivery) (Manifest, error) {
	root, err := resolve(ctx, src, opts)
	if err != nil || len(all) != 1 || len(opts.Platforms) > 0 {
		return root, err
	}
	if _, ok := all[0].Target.(imageTarget); !ok {
		return root, nil
	}
	if c, err := decodeManifest(root.Content, root.Descriptor.MediaType); err != nil || c.manifests == nil {
		return root, nil // what is wrong with it is found out later
	}
	image, err := selectPlatforms(ctx, src, root, []Platform{{OS: "linux", Architecture: runtime.GOARCH}}, false)
	if err != nil {
		return Manifest{}, fmt.Errorf("%s: %w; choose one with --platform", src, err)
	}
	return image, nil
}
