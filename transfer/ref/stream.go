package ref

import (
	"context"
	"errors"
	"fmt"
	"io"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/docker"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
)

// ErrNothingRead reports a stream that ended before its first byte.
var ErrNothingRead = errors.New("nothing arrived on stdin")

// OpenStream reads a tar to its end, compressed or not, and opens it as an
// [archive.Archive] or a [docker.Archive], whichever it is; if it is both and kind is not
// "", as that. The content is in a temporary file until it is closed.
// An error wraps [ErrNothingRead] if the stream has no bytes.
func OpenStream(ctx context.Context, r io.Reader, kind Kind, options docker.ArchiveOptions) (content.SourceCloser, error) {
	f, err := tarball.Spool(ctx, r, options.TempDir)
	switch {
	case errors.Is(err, tarball.ErrEmpty):
		return nil, fmt.Errorf("%w; did the command before the pipe fail?", ErrNothingRead)
	case err != nil:
		return nil, fmt.Errorf("%s:%s: %w", kind, StandardStream, err)
	}
	found := kindOf(f.Files)
	if found == KindArchive && (kind != KindDockerArchive || !tarball.HasFile(f.Files, tarball.DockerManifestFile)) {
		return archive.New(f, StandardStream)
	}
	if found == "" {
		defer f.Close()
		if _, err := f.Files.Lookup(ocispec.ImageLayoutFile); errors.Is(err, content.ErrIntegrity) {
			return nil, fmt.Errorf("%s:%s: %w", kind, StandardStream, err) // it was cut off
		}
		return nil, fmt.Errorf("%s:%s: %w: a tar archive without an image: it has neither oci-layout nor manifest.json", kind, StandardStream, content.ErrUnsupported)
	}
	return docker.NewArchive(f, StandardStream, options)
}
