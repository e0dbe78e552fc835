package proxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Blobs is the directory of a [Cache], read beside the proxy that uses it. As Local of the options of a copy, what engines have
// pulled is not fetched again.
type Blobs string

var _ content.FileReader = Blobs("")

// BlobFile opens a blob of the cache for reading at any offset. The caller verifies and closes it; it can be read to its end, even
// if the proxy removes it meanwhile. The error wraps [content.ErrNotFound] if the cache does not have it.
func (b Blobs) BlobFile(_ context.Context, d content.Descriptor) (content.BlobFile, error) {
	missing := func(why error) error {
		return fmt.Errorf("cache %s: blob %s: %w: %w", string(b), d.Digest, content.ErrNotFound, why)
	}
	if err := d.Digest.Validate(); err != nil || d.Digest.Algorithm() != digest.SHA256 {
		return nil, missing(errors.New("it is not a SHA-256 digest"))
	}
	path := filepath.Join(string(b), blobsDir, d.Digest.Encoded())
	info, err := os.Lstat(path)
	if err != nil {
		return nil, missing(err)
	}
	if !info.Mode().IsRegular() || info.Size() != d.Size {
		return nil, missing(fmt.Errorf("%s is not a file of %d bytes", path, d.Size))
	}
	file, err := files.OpenRegular(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, missing(err)
	}
	return file, nil
}
