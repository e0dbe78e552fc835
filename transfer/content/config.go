package content

import (
	"context"
	"fmt"
	"io"
)

// ReadConfig returns the verified bytes of the config of an image; that of an index
// is an error.
func ReadConfig(ctx context.Context, src Source, image Manifest) ([]byte, error) {
	c, err := DecodeManifest(image.Content, image.Descriptor.MediaType)
	if err != nil {
		return nil, fmt.Errorf("%s: manifest %s: %w", src, image.Descriptor.Digest, err)
	}
	if len(c.Blobs) == 0 {
		return nil, fmt.Errorf("%s: %w: %s is an index, which has no config; name a platform", src, ErrUnsupported, image.Descriptor.Digest)
	}
	return ReadConfigBlob(ctx, src, c.Blobs[0])
}

// ReadConfigBlob returns the verified bytes of a config.
func ReadConfigBlob(ctx context.Context, src Source, config Descriptor) ([]byte, error) {
	if config.Size > maxConfigSize {
		return nil, fmt.Errorf("%s: %w: config %s has %d bytes; at most %d are read", src, ErrUnsupported, config.Digest, config.Size, maxConfigSize)
	}
	data, err := readVerified(ctx, src, config)
	if err != nil {
		return nil, Named(src, WithDigest("config", config.Digest, err))
	}
	return data, nil
}

// readVerified reads a blob that is held in memory.
func readVerified(ctx context.Context, src BlobReader, d Descriptor) ([]byte, error) {
	r, err := src.Blob(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(NewVerifyingReader(ctx, r, d))
}
