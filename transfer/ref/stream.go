package ref

import (
	"context"
	"fmt"
	"io"

	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/docker"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
)

// OpenStream reads a tar to its end, compressed or not, and opens it as an
// [Archive] or a [docker.Archive], whichever it is; if it is both and kind is not
// "", as that. The content is in a temporary file until it is closed.
func OpenStream(ctx context.Context, r io.Reader, kind Kind, options docker.ArchiveOptions) (content.SourceCloser, error) {
	f, err := tarball.Spool(ctx, r, options.TempDir)
	if err != nil {
		return nil, fmt.Errorf("%s:%s: %w", kind, StandardStream, err)
	}
	found := kindOf(f.Files)
	if found == KindArchive && (kind != KindDockerArchive || !tarball.HasFile(f.Files, tarball.DockerManifestFile)) {
		return archive.New(f, StandardStream)
	}
	if found == "" {
		f.Close()
		return nil, fmt.Errorf("%s:%s: %w: neither an OCI image layout nor an archive of docker", kind, StandardStream, content.ErrUnsupported)
	}
	return docker.NewArchive(f, StandardStream, options)
}
