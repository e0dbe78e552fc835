package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
)

// firstAlone is how long a blob is read over one connection before others join: what a fast network brings in
// that time needs no more. A slow one loses it once a blob.
const firstAlone = 10 * time.Millisecond

// FollowBlob reads the blob d of src into f, over opts.Connections connections where src
// can do that; of opts nothing else counts. It calls ordered, never concurrently, with the
// number of bytes that f has from its beginning without a gap, so that others can read f
// while it grows. These bytes are only known to be right when FollowBlob returns nil: the
// error wraps [content.ErrIntegrity] if they have another digest. The memory needed does
// not depend on the size of the blob.
func FollowBlob(ctx context.Context, src content.Source, d content.Descriptor, f FollowedFile, ordered func(n int64), opts Options) error {
	if err := content.CheckDescriptor(d); err != nil {
		return err
	}
	count := &orderedCount{ordered: ordered}
	err := followRanges(ctx, src, d, f, count, opts.connections())
	if !errors.Is(err, content.ErrNoRanges) || count.n > 0 {
		return atFault(err, d.Digest)
	}
	// Nobody has read anything yet, so the blob may begin again.
	data, err := openBlob(ctx, src, d)
	if err != nil {
		return err
	}
	defer data.Close()
	_, err = io.Copy(io.MultiWriter(io.NewOffsetWriter(f, 0), count), verified(ctx, src, data, d))
	return atFault(err, d.Digest)
}

// followRanges is FollowBlob by ranges. The error wraps [content.ErrNoRanges] if there are none.
func followRanges(ctx context.Context, src content.Source, d content.Descriptor, f FollowedFile, count io.Writer, connections int) error {
	ranged, ok := src.(content.RangeReader)
	if !ok {
		return content.ErrNoRanges
	}
	open, err := ranged.Ranges(ctx, d)
	if err != nil {
		return err
	}
	hash := d.Digest.Verifier()
	if err := ranges.Fetch(ctx, freshFile{f}, io.MultiWriter(count, hash), d.Size, marked(open), connections, firstAlone, func(int) {}); err != nil {
		return blameReading(src, err)
	}
	if !hash.Verified() {
		return fmt.Errorf("%s: %w: the bytes of blob %s have another digest", src, content.ErrIntegrity, d.Digest)
	}
	return nil
}

// FollowedFile is a file that is read while it is written.
type FollowedFile interface {
	io.ReaderAt
	io.WriterAt
}

// freshFile is a [content.PartialFile] of which nothing is resumed.
type freshFile struct{ FollowedFile }

func (freshFile) Done() []content.Span       { return nil }
func (freshFile) AddDone(content.Span) error { return nil }

// orderedCount counts what was written to a file in its order.
type orderedCount struct {
	n       int64
	ordered func(n int64)
}

func (c *orderedCount) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	c.ordered(c.n)
	return len(p), nil
}
