package transfer

import (
	"context"
	"fmt"
	"io"
)

// SourceCloser is a [Source] that holds something.
type SourceCloser interface {
	Source
	io.Closer
}

// OpenStream reads a tar to its end, compressed or not, and opens it as an
// [Archive] or a [DockerArchive], whichever it is; if it is both and kind is not
// "", as that. The content is in a temporary file until it is closed.
func OpenStream(ctx context.Context, r io.Reader, kind Kind, options DockerArchiveOptions) (SourceCloser, error) {
	f, err := spoolImageFile(ctx, r, options.TempDir)
	if err != nil {
		return nil, fmt.Errorf("%s:%s: %w", kind, StandardStream, err)
	}
	found := kindOf(f.files)
	if found == KindArchive && (kind != KindDockerArchive || !hasFile(f.files, dockerManifestFile)) {
		return newArchive(f, StandardStream), nil
	}
	if found == "" {
		f.Close()
		return nil, fmt.Errorf("%s:%s: %w: neither an OCI image layout nor an archive of docker", kind, StandardStream, ErrUnsupported)
	}
	return newDockerArchive(f, string(KindDockerArchive)+":"+StandardStream, options)
}
