package transfer

import (
	"context"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// ReadConfig returns the bytes of the config of an image that was resolved at src, verified against
// the manifest. The error wraps [content.ErrUnsupported] for an index, which has no config, and for a config
// of more than 8 MiB, and [content.ErrIntegrity] if the bytes are not what the manifest names.
func ReadConfig(ctx context.Context, src content.Source, image content.Manifest) ([]byte, error) {
	return imagetree.ReadConfig(ctx, src, image)
}
