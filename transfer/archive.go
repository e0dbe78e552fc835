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
		return nil, archiveError(KindArchive, path, err)
	}
	return newArchive(f, path), nil
}

func newArchive(f *imageFile, path string) *Archive {
	return &Archive{layoutReader{files: f.files, name: string(KindArchive) + ":" + path}, f}
}

// archiveError names the archive in an error.
func archiveError(kind Kind, path string, err error) error {
	return fmt.Errorf("%s:%s: %w", kind, path, err)
}

// Close closes the file.
func (a *Archive) Close() error { return a.file.Close() }
