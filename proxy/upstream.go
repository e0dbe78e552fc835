package proxy

import (
	"context"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// defaultAllConnections is how many connections all fetches have together.
const defaultAllConnections = 64

// boundedSource is a source whose blobs are read over a bounded number of connections.
type boundedSource struct {
	content.Source
	slots *semaphore.Weighted
}

// Blob opens a blob when there is a free connection.
func (s boundedSource) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	return s.bounded(ctx, func() (io.ReadCloser, error) { return s.Source.Blob(ctx, d) })
}

// Ranges prepares to read ranges, each when there is a free connection.
func (s boundedSource) Ranges(ctx context.Context, d content.Descriptor) (content.RangeOpener, error) {
	open, err := rangesOf(ctx, s.Source, d)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
		return s.bounded(ctx, func() (io.ReadCloser, error) { return open(ctx, first, n) })
	}, nil
}

// bounded opens a body that has one of the connections until it is closed.
func (s boundedSource) bounded(ctx context.Context, open func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	if err := s.slots.Acquire(ctx, 1); err != nil {
		return nil, content.Permanent(err)
	}
	body, err := open()
	if err != nil {
		s.slots.Release(1)
		return nil, err
	}
	return &closing{body, sync.OnceFunc(func() { s.slots.Release(1) })}, nil
}

// closing is a body with something to do when it is closed.
type closing struct {
	io.ReadCloser
	closed func()
}

func (c *closing) Close() error {
	defer c.closed()
	return c.ReadCloser.Close()
}

// countedSource is a source whose blobs are counted.
type countedSource struct {
	content.Source
	bytes func(n int) // is called with the number of bytes that came
}

// counted returns src with the bytes of its blobs counted.
func (h *Handler) counted(src content.Source) content.Source {
	return countedSource{src, func(n int) { h.metrics.upstreamBytes.Add(float64(n)) }}
}

// Blob opens a blob.
func (s countedSource) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	body, err := s.Source.Blob(ctx, d)
	if err != nil {
		return nil, err
	}
	return &countedBody{body, s.bytes}, nil
}

// Ranges prepares to read ranges.
func (s countedSource) Ranges(ctx context.Context, d content.Descriptor) (content.RangeOpener, error) {
	open, err := rangesOf(ctx, s.Source, d)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
		body, err := open(ctx, first, n)
		if err != nil {
			return nil, err
		}
		return &countedBody{body, s.bytes}, nil
	}, nil
}

// rangesOf prepares to read ranges of src; without them the error of the opener wraps
// [content.ErrNoRanges].
func rangesOf(ctx context.Context, src content.Source, d content.Descriptor) (content.RangeOpener, error) {
	ranged, ok := src.(content.RangeReader)
	if !ok {
		return func(context.Context, int64, int64) (io.ReadCloser, error) { return nil, content.ErrNoRanges }, nil
	}
	return ranged.Ranges(ctx, d)
}

// countedBody is a body that is counted.
type countedBody struct {
	io.ReadCloser
	bytes func(n int)
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes(n)
	return n, err
}
