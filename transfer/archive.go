package transfer

import (
	"context"
	"fmt"
)

// Archive is an OCI image layout in a tar file, as [Source].
type Archive struct {
	layoutReader
	file *imageFile
}

var (
	_ Source     = (*Archive)(nil)
	_ fileReader = (*Archive)(nil)
)

// OpenArchive opens the tar file and notes where its members are. One that is
// compressed, by gzip or zstd, is unpacked to a temporary file in tempDir; "" is
// os.TempDir. The caller closes the archive.
func OpenArchive(ctx context.Context, path, tempDir string) (*Archive, error) {
	f, err := openImageFile(ctx, path, tempDir)
	if err != nil {
		return nil, fmt.Errorf("oci-archive:%s: %w", path, err)
	}
	return newArchive(f, path), nil
}

func newArchive(f *imageFile, path string) *Archive {
	return &Archive{newLayoutReader(f.files, "oci-archive:"+path), f}
}

// Close closes the file.
func (a *Archive) Close() error { return a.file.Close() }
