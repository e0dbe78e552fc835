package archive

import (
	"context"
	"fmt"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// Archive is an OCI image layout in a tar file, as [content.Source]. It has all methods
// of [layout.Reader], such as Images and Tags.
type Archive struct {
	reader
	file *tarball.Image
}

// reader keeps the embedded field from being part of the API.
type reader = layout.Reader

var (
	_ content.Source     = (*Archive)(nil)
	_ content.FileReader = (*Archive)(nil)
)

// Open opens the tar file and notes where its members are. One that is
// compressed, by gzip or zstd, is unpacked to a temporary file in tempDir; "" is
// os.TempDir. The caller closes the archive.
func Open(ctx context.Context, path, tempDir string) (*Archive, error) {
	f, err := tarball.Open(ctx, path, tempDir)
	if err != nil {
		return nil, fmt.Errorf("oci-archive:%s: %w", path, tarball.NoImage(path, err))
	}
	return newArchive(f, path), nil
}

// New returns the archive in a tar that is not compressed; messages call it
// oci-archive:name. The archive closes file, and so does an error.
func New(file content.BlobFile, name string) (*Archive, error) {
	f, err := tarball.New(file, file)
	if err != nil {
		return nil, fmt.Errorf("oci-archive:%s: %w", name, err)
	}
	return newArchive(f, name), nil
}

func newArchive(f *tarball.Image, name string) *Archive {
	return &Archive{layout.NewReader(f.Files, "oci-archive:"+name), f}
}

// Close closes the file.
func (a *Archive) Close() error { return a.file.Close() }
