package imagetree

import (
	"context"
	"fmt"
	"io"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// ReadConfig returns the verified bytes of the config of an image; that of an index
// is an error.
func ReadConfig(ctx context.Context, src content.Source, image content.Manifest) ([]byte, error) {
	c, err := content.DecodeManifest(image.Content, image.Descriptor.MediaType)
	if err != nil {
		return nil, fmt.Errorf("%s: manifest %s: %w", src, image.Descriptor.Digest, err)
	}
	if len(c.Blobs) == 0 {
		return nil, fmt.Errorf("%s: %w: %s is an index, which has no config; name a platform", src, content.ErrUnsupported, image.Descriptor.Digest)
	}
	return ReadConfigBlob(ctx, src, c.Blobs[0])
}

// ReadConfigBlob returns the verified bytes of a config.
func ReadConfigBlob(ctx context.Context, src content.Source, config content.Descriptor) ([]byte, error) {
	if config.Size > maxConfigSize {
		return nil, fmt.Errorf("%s: %w: config %s has %d bytes; at most %d are read", src, content.ErrUnsupported, config.Digest, config.Size, maxConfigSize)
	}
	data, err := readVerified(ctx, src, config)
	if err != nil {
		return nil, Named(src, WithDigest("config", config.Digest, err))
	}
	return data, nil
}

// readVerified reads a blob that is held in memory.
func readVerified(ctx context.Context, src content.BlobReader, d content.Descriptor) ([]byte, error) {
	r, err := src.Blob(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(content.NewVerifyingReader(ctx, r, d))
}
