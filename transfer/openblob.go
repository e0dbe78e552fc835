package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
)

// OpenBlobAt opens the blob d of src at its byte first, over one connection. A connection
// that breaks is replaced; of a source without ranges the bytes before are skipped. The
// caller verifies the whole and closes the reader. The memory needed does not depend on the
// size of the blob. A first byte outside of the blob is an error.
func OpenBlobAt(ctx context.Context, src content.Source, d content.Descriptor, first int64) (io.ReadCloser, error) {
	if err := content.CheckDescriptor(d); err != nil {
		return nil, err
	}
	if first < 0 || first > d.Size {
		return nil, fmt.Errorf("%s: blob %s: there is no byte %d in %d bytes", src, d.Digest, first, d.Size)
	}
	whole := ranges.Whole(func(ctx context.Context) (io.ReadCloser, error) { return src.Blob(ctx, d) })
	open := whole
	if ranged, ok := src.(content.RangeReader); ok {
		part, err := ranged.Ranges(ctx, d)
		if err != nil {
			return nil, err
		}
		open = func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
			body, err := part(ctx, first, n)
			if errors.Is(err, content.ErrNoRanges) {
				return whole(ctx, first, n)
			}
			return body, err
		}
	}
	shifted := func(ctx context.Context, at, n int64) (io.ReadCloser, error) { return open(ctx, first+at, n) }
	return &namedBody{ranges.NewReader(ctx, nil, shifted, d.Size-first), src, d.Digest}, nil
}
