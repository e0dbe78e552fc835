package transfer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
)

// layerContent is the content of a blob by parts, which are asked for in their
// order, also from an earlier one on again.
type layerContent interface {
	// Part prepares the n bytes from first on. It waits until there is memory
	// for them. The part is released once it is not needed any more.
	Part(ctx context.Context, first, n int64) (layerPart, error)
}

// layerPart is a part of a blob.
type layerPart struct {
	// load reads the part, if it is not in a file.
	load    func(ctx context.Context) (*io.SectionReader, error)
	release func()
}

// fileContent is a blob in a file, which needs no memory.
type fileContent struct{ file io.ReaderAt }

func (c fileContent) Part(_ context.Context, first, n int64) (layerPart, error) {
	section := io.NewSectionReader(c.file, first, n)
	return layerPart{
		load:    func(context.Context) (*io.SectionReader, error) { return section, nil },
		release: func() {},
	}, nil
}

// partMemory is the memory for parts of blobs that are not in a file: of all
// blobs of a copy together.
type partMemory struct {
	budget *semaphore.Weighted // in bytes

	mu   sync.Mutex
	free [][]byte
}

// maxPartMemory is the budget in bytes: eight parts of 10 MiB, or four of the
// largest.
const maxPartMemory = 80 << 20

func newPartMemory() *partMemory {
	return &partMemory{budget: semaphore.NewWeighted(maxPartMemory)}
}

func (m *partMemory) get(ctx context.Context, n int64) ([]byte, func(), error) {
	if err := m.budget.Acquire(ctx, n); err != nil {
		return nil, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var buffer []byte
	if last := len(m.free) - 1; last >= 0 {
		buffer, m.free = m.free[last], m.free[:last]
	}
	if int64(cap(buffer)) < n {
		buffer = make([]byte, n) // the first of their size, or smaller ones before
	}
	buffer = buffer[:n]
	return buffer, func() {
		m.mu.Lock()
		m.free = append(m.free, buffer)
		m.mu.Unlock()
		m.budget.Release(n)
	}, nil
}

// rangeContent is a blob that is read by ranges.
type rangeContent struct {
	open   ranges.Opener
	memory *partMemory
}

func (c rangeContent) Part(ctx context.Context, first, n int64) (layerPart, error) {
	buffer, release, err := c.memory.get(ctx, n)
	if err != nil {
		return layerPart{}, err
	}
	return layerPart{release: release, load: func(ctx context.Context) (*io.SectionReader, error) {
		if err := ranges.Read(ctx, buffer, first, c.open); err != nil {
			return nil, err
		}
		return io.NewSectionReader(bytes.NewReader(buffer), 0, n), nil
	}}, nil
}

// streamContent is a blob that can only be read from its beginning on.
type streamContent struct {
	open   func(ctx context.Context) (io.ReadCloser, error)
	memory *partMemory

	stream io.ReadCloser
	alive  context.Context // of the stream
	at     int64           // of the stream
}

func (c *streamContent) Part(ctx context.Context, first, n int64) (layerPart, error) {
	if c.stream == nil || first < c.at || c.alive.Err() != nil {
		if err := c.Close(); err != nil {
			return layerPart{}, err
		}
		stream, err := c.open(ctx)
		if err != nil {
			return layerPart{}, err
		}
		c.stream, c.alive, c.at = stream, ctx, 0
	}
	skipped, err := io.CopyN(io.Discard, c.stream, first-c.at)
	c.at += skipped
	if err != nil {
		return layerPart{}, fmt.Errorf("at byte %d: %w", c.at, noEOF(err))
	}
	buffer, release, err := c.memory.get(ctx, n)
	if err != nil {
		return layerPart{}, err
	}
	read, err := io.ReadFull(c.stream, buffer)
	c.at += int64(read)
	if err != nil {
		release()
		return layerPart{}, fmt.Errorf("at byte %d: %w", c.at, noEOF(err))
	}
	section := io.NewSectionReader(bytes.NewReader(buffer), 0, n)
	return layerPart{
		load:    func(context.Context) (*io.SectionReader, error) { return section, nil },
		release: release,
	}, nil
}

// Close closes the stream.
func (c *streamContent) Close() error {
	if c.stream == nil {
		return nil
	}
	err := c.stream.Close()
	c.stream = nil
	return err
}

// noEOF makes the end of a stream, where it comes too early, an error of its own.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// defaultPartSize is how a blob is cut where nobody proposes a size, in bytes.
const defaultPartSize = 10 << 20
