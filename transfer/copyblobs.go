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

	"github.com/ecrkit/ecrkit/transfer/internal/journal"
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
	reads       *semaphore.Weighted // connections that bring blobs
	writes      *semaphore.Weighted // connections that take blobs
	memory      *partMemory
	journal     journal.Dir

	resumed atomic.Int64 // bytes that an earlier copy had sent
}

func newCopier(src Source, dst Target, opts Options) *copier {
	c := &copier{
		src: src, dst: dst, parallel: opts.Layers, connections: opts.Connections,
		reads: semaphore.NewWeighted(maxConnections), writes: semaphore.NewWeighted(maxConnections),
		memory: newPartMemory(), journal: journal.Dir(opts.JournalDir),
	}
	if c.parallel <= 0 {
		c.parallel = 4
	}
	if c.connections <= 0 {
		c.connections = 8
	}
	return c
}

// smallBlob is up to how many bytes a blob has one connection only, so that many
// of them move at once.
const smallBlob = 1 << 20

// blobs copies blobs, some at once.
func (c *copier) blobs(ctx context.Context, blobs []Descriptor) error {
	group, ctx := errgroup.WithContext(ctx)
	large := make(chan struct{}, c.parallel)
	small := make(chan struct{}, maxConnections)
	for _, d := range blobs {
		slots := large
		if d.Size <= smallBlob {
			slots = small
		}
		group.Go(func() error {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			defer func() { <-slots }()
			return c.blob(ctx, d)
		})
	}
	return group.Wait()
}

func (c *copier) blob(ctx context.Context, d Descriptor) error {
	if dst, ok := c.dst.(layerWriter); ok {
		return c.layer(ctx, dst, d)
	}
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

// layer copies a blob part by part.
func (c *copier) layer(ctx context.Context, dst layerWriter, d Descriptor) error {
	how := uploads{
		mode: UploadAuto, from: c.src, connections: c.connections, inAll: c.writes, journal: c.journal,
		sent:    func(int64) {},
		resumed: func(n int64) { c.resumed.Add(n) },
		mounted: func() {},
	}
	if src, ok := c.src.(fileReader); ok {
		file, err := src.BlobFile(ctx, d)
		if err != nil {
			return err
		}
		defer file.Close()
		return dst.PutLayer(ctx, d, fileContent{file}, how)
	}
	if src, ok := c.src.(rangeReader); ok {
		open, err := src.Ranges(ctx, d)
		if err == nil {
			err = dst.PutLayer(ctx, d, rangeContent{c.limit(open), c.memory}, how)
		}
		if !errors.Is(err, errNoRanges) {
			return err
		}
	}
	content := &streamContent{memory: c.memory, open: func(ctx context.Context) (io.ReadCloser, error) { return c.src.Blob(ctx, d) }}
	defer content.Close()
	return dst.PutLayer(ctx, d, content, how)
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
		if err := c.reads.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		body, err := open(ctx, first, n)
		if err != nil {
			c.reads.Release(1)
			return nil, err
		}
		return &limitedBody{body, sync.OnceFunc(func() { c.reads.Release(1) })}, nil
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
