// Package parts reads a blob in parts, from a file or within a bound of memory.
package parts

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
)

// File is a blob in a file, which needs no memory.
type File struct{ File io.ReaderAt }

func (c File) Part(_ context.Context, first, n int64) (content.Part, error) {
	section := io.NewSectionReader(c.File, first, n)
	return content.Part{
		Load:    func(context.Context) (*io.SectionReader, error) { return section, nil },
		Release: func() {},
	}, nil
}

// Memory is the memory for parts of blobs that are not in a file: of all
// blobs of a copy together.
type Memory struct {
	budget  *semaphore.Weighted // in bytes
	most    int64               // the budget
	buffers *buffers
}

// buffers are what parts are read into. They are used again.
type buffers struct {
	mu   sync.Mutex
	free [][]byte
	held int64 // in all of them, those in use included
	most int64
}

// maxPartMemory is the budget in bytes: eight parts of 10 MiB, or four of the
// largest.
const maxPartMemory = 80 << 20

// minPartMemory is what the largest part needs, in bytes.
const minPartMemory = 20 << 20

// NewMemory returns the memory of one copy.
func NewMemory() *Memory { return NewMemoryOf(maxPartMemory) }

// NewMemoryOf returns memory of so many bytes, or enough for the largest part.
func NewMemoryOf(bytes int64) *Memory {
	bytes = max(bytes, minPartMemory)
	return &Memory{semaphore.NewWeighted(bytes), bytes, &buffers{most: bytes}}
}

func (m *Memory) Get(ctx context.Context, n int64) ([]byte, func(), error) {
	if err := m.budget.Acquire(ctx, n); err != nil {
		return nil, nil, err
	}
	buffer := m.buffers.take(n)
	return buffer, func() {
		m.buffers.put(buffer)
		m.budget.Release(n)
	}, nil
}

// reserve takes from least to most bytes for one blob, and waits for no more than least.
func (m *Memory) reserve(ctx context.Context, least, most int64) (*Memory, func(), error) {
	n := min(most, m.most)
	if !m.budget.TryAcquire(n) {
		n = min(least, n)
		if err := m.budget.Acquire(ctx, n); err != nil {
			return nil, nil, err
		}
	}
	return &Memory{semaphore.NewWeighted(n), n, m.buffers}, func() { m.budget.Release(n) }, nil
}

func (s *buffers) put(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, b)
}

// take returns a buffer that is free and not much larger than n, or a new one, for which free ones of other sizes are
// given up.
func (s *buffers) take(n int64) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	best := -1
	for i, b := range s.free {
		if size := int64(cap(b)); size >= n && size <= 2*n && (best < 0 || size < int64(cap(s.free[best]))) {
			best = i
		}
	}
	if best >= 0 {
		b := s.free[best]
		s.free = slices.Delete(s.free, best, best+1)
		return b[:n]
	}
	for len(s.free) > 0 && s.held+n > s.most {
		s.held -= int64(cap(s.free[0]))
		s.free = slices.Delete(s.free, 0, 1)
	}
	s.held += n
	return make([]byte, n)
}

// Reserver is content whose parts need memory that other blobs need too.
type Reserver interface {
	// Reserve takes from least to most bytes of memory for the blob alone, and returns the content that uses it: a part of it waits
	// only for earlier ones of the same blob. The caller calls release when no part is in use.
	Reserve(ctx context.Context, least, most int64) (own content.PartReader, release func(), err error)
}

// Ranges is a blob that is read by ranges.
type Ranges struct {
	Open   content.RangeOpener
	Memory *Memory
	// Whole, if not nil, opens the blob at its first byte.
	Whole func(ctx context.Context) (io.ReadCloser, error)
}

// InOrder returns data as it is read with one request, if it can be, and what closes it.
func InOrder(data content.PartReader) (content.PartReader, func()) {
	c, ok := data.(Ranges)
	if !ok || c.Whole == nil {
		return data, func() {}
	}
	s := &Stream{Open: c.Whole, Memory: c.Memory}
	return s, func() { _ = s.Close() } // what was read of it is verified
}

// Reserve implements [Reserver].
func (c Ranges) Reserve(ctx context.Context, least, most int64) (content.PartReader, func(), error) {
	own, release, err := c.Memory.reserve(ctx, least, most)
	c.Memory = own
	return c, release, err
}

func (c Ranges) Part(ctx context.Context, first, n int64) (content.Part, error) {
	buffer, release, err := c.Memory.Get(ctx, n)
	if err != nil {
		return content.Part{}, err
	}
	return content.Part{Release: release, Load: func(ctx context.Context) (*io.SectionReader, error) {
		if err := ranges.Read(ctx, buffer, first, c.Open); err != nil {
			return nil, err
		}
		return io.NewSectionReader(bytes.NewReader(buffer), 0, n), nil
	}}, nil
}

// Stream is a blob that can only be read from its beginning on.
type Stream struct {
	Open   func(ctx context.Context) (io.ReadCloser, error)
	Memory *Memory

	stream io.ReadCloser
	alive  context.Context // of the stream
	at     int64           // of the stream
}

func (c *Stream) Part(ctx context.Context, first, n int64) (content.Part, error) {
	if c.stream == nil || first < c.at || c.alive.Err() != nil {
		if err := c.Close(); err != nil {
			return content.Part{}, err
		}
		stream, err := c.Open(ctx)
		if err != nil {
			return content.Part{}, err
		}
		c.stream, c.alive, c.at = stream, ctx, 0
	}
	skipped, err := io.CopyN(io.Discard, c.stream, first-c.at)
	c.at += skipped
	if err != nil {
		return content.Part{}, fmt.Errorf("at byte %d: %w", c.at, NoEOF(err))
	}
	buffer, release, err := c.Memory.Get(ctx, n)
	if err != nil {
		return content.Part{}, err
	}
	read, err := io.ReadFull(c.stream, buffer)
	c.at += int64(read)
	if err != nil {
		release()
		return content.Part{}, fmt.Errorf("at byte %d: %w", c.at, NoEOF(err))
	}
	section := io.NewSectionReader(bytes.NewReader(buffer), 0, n)
	return content.Part{
		Load:    func(context.Context) (*io.SectionReader, error) { return section, nil },
		Release: release,
	}, nil
}

// Reserve implements [Reserver].
func (c *Stream) Reserve(ctx context.Context, least, most int64) (content.PartReader, func(), error) {
	all := c.Memory
	own, release, err := all.reserve(ctx, least, most)
	if err != nil {
		return nil, nil, err
	}
	c.Memory = own
	return c, func() { c.Memory = all; release() }, nil
}

// Close closes the stream.
func (c *Stream) Close() error {
	if c.stream == nil {
		return nil
	}
	err := c.stream.Close()
	c.stream = nil
	return err
}

// NoEOF makes the end of a stream, where it comes too early, an error of its own.
func NoEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
