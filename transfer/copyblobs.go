package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
)

// maxConnections is how many connections carry blobs at once in one copy.
const maxConnections = 16

// copier copies the blobs of one copy.
type copier struct {
	src         Source
	dst         Target
	parallel    int
	connections int
	inAll       *semaphore.Weighted // the connections of all blobs

	resumed atomic.Int64 // bytes that an earlier copy had sent
}

func newCopier(src Source, dst Target, opts Options) *copier {
	c := &copier{src: src, dst: dst, parallel: opts.Parallel, connections: opts.Connections, inAll: semaphore.NewWeighted(maxConnections)}
	if c.parallel <= 0 {
		c.parallel = 4
	}
	if c.connections <= 0 {
		c.connections = 8
	}
	return c
}

// blobs copies blobs, some at once.
func (c *copier) blobs(ctx context.Context, blobs []Descriptor) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.parallel)
	for _, d := range blobs {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return c.blob(ctx, d)
		})
	}
	return group.Wait()
}

func (c *copier) blob(ctx context.Context, d Descriptor) error {
	src, canRead := c.src.(rangeReader)
	dst, canWrite := c.dst.(fileWriter)
	if canRead && canWrite {
		if err := c.ranges(ctx, src, dst, d); !errors.Is(err, errNoRanges) {
			return err
		}
	}
	content, err := c.src.Blob(ctx, d)
	if err != nil {
		return err
	}
	defer content.Close()
	return c.dst.PutBlob(ctx, d, newVerifier(ctx, content, d))
}

// ranges reads a blob over several connections into its file.
func (c *copier) ranges(ctx context.Context, src rangeReader, dst fileWriter, d Descriptor) error {
	open, err := src.Ranges(ctx, d)
	if err != nil {
		return err
	}
	return dst.PutBlobFile(ctx, d, func(f ranges.File) error {
		resumed := int64(0)
		for _, s := range f.Done() {
			resumed += s.Length
		}
		hash := d.Digest.Verifier()
		if err := ranges.Fetch(ctx, f, hash, d.Size, c.limit(open), c.connections, func(int) {}); err != nil {
			return err
		}
		if !hash.Verified() {
			return fmt.Errorf("%w: the bytes of blob %s have another digest", ErrIntegrity, d.Digest)
		}
		c.resumed.Add(resumed)
		return nil
	})
}

// limit makes open wait until fewer than all connections of the copy are in use.
func (c *copier) limit(open ranges.Opener) ranges.Opener {
	return func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
		if err := c.inAll.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		body, err := open(ctx, first, n)
		if err != nil {
			c.inAll.Release(1)
			return nil, err
		}
		return &limitedBody{body, sync.OnceFunc(func() { c.inAll.Release(1) })}, nil
	}
}

// limitedBody gives its connection back when it is closed.
type limitedBody struct {
	io.ReadCloser
	release func()
}

func (b *limitedBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
