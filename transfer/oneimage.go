package transfer

import (
	"context"
	"fmt"
	"runtime"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// resolveFor gives the image to be copied, which Options.Verify has accepted.
func resolveFor(ctx context.Context, src content.Source, opts Options, all []*delivery) (content.Manifest, error) {
	resolved, chosen, err := resolve(ctx, src, opts)
	if err == nil && len(all) == 1 && len(opts.Platforms) == 0 {
		if _, ok := all[0].Target.(content.SingleImageTarget); ok {
			chosen, err = chooseForMachine(ctx, src, chosen)
		}
	}
	if err == nil && opts.Verify != nil {
		err = opts.Verify(ctx, resolved, chosen)
	}
	return chosen, err
}

// chooseForMachine gives, of an index, the image for Linux on this machine.
func chooseForMachine(ctx context.Context, src content.Source, root content.Manifest) (content.Manifest, error) {
	if c, err := content.DecodeManifest(root.Content, root.Descriptor.MediaType); err != nil || c.Manifests == nil {
		return root, nil // what is wrong with it is found out later
	}
	image, err := selectPlatforms(ctx, src, root, []content.Platform{{OS: "linux", Architecture: runtime.GOARCH}}, false)
	if err != nil {
		return content.Manifest{}, fmt.Errorf("%s: %w; choose one with --platform", src, err)
	}
	return image, nil
}
