package transfer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
	"github.com/ecrkit/ecrkit/transfer/internal/tempfile"
)

// BlobStreams are blobs that go to their targets while they arrive. They share the memory for
// their parts, at most 80 MiB.
type BlobStreams struct {
	connections int
	tempDir     string

	mu      sync.Mutex
	memory  *parts.Memory // nil while there is no stream
	streams int
}

// NewBlobStreams returns streams with opts.Connections for each blob; of opts only that and
// TempDir count.
func NewBlobStreams(opts Options) *BlobStreams {
	return &BlobStreams{connections: opts.connections(), tempDir: opts.TempDir}
}

// Begin begins a blob whose size and digest are not known yet. It goes to dst in parts while
// it arrives, if dst can take it so, and else is kept in a temporary file until it is
// complete. ctx is that of the whole upload. The caller commits or aborts the stream.
func (s *BlobStreams) Begin(ctx context.Context, dst content.Target) (content.BlobStream, error) {
	streamer, ok := dst.(content.BlobStreamer)
	if !ok {
		file, err := tempfile.New(s.tempDir)
		if err != nil {
			return nil, err
		}
		return &spoolStream{dst: dst, file: file, hash: sha256.New()}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory == nil {
		s.memory = parts.NewMemory()
	}
	s.streams++
	return &memoryStream{
		BlobStream: streamer.StreamBlob(ctx, content.StreamOptions{Connections: s.connections, Memory: s.memory.Get}),
		end:        sync.OnceFunc(s.end),
	}, nil
}

// end leaves the memory to the garbage collector when no stream needs it.
func (s *BlobStreams) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams--; s.streams == 0 {
		s.memory = nil
	}
}

// memoryStream is a stream that uses the memory of [BlobStreams].
type memoryStream struct {
	content.BlobStream
	end func()
}

func (m *memoryStream) Commit(ctx context.Context, d digest.Digest) error {
	defer m.end()
	return m.BlobStream.Commit(ctx, d)
}

func (m *memoryStream) Abort() {
	defer m.end()
	m.BlobStream.Abort()
}

// spoolStream is a stream in a temporary file.
type spoolStream struct {
	dst   content.Target
	file  tempfile.File
	hash  hash.Hash
	size  int64
	ended bool
}

func (s *spoolStream) Write(p []byte) (int, error) {
	if s.ended {
		return 0, errors.New("the upload has ended")
	}
	n, err := s.file.WriteAt(p, s.size)
	s.hash.Write(p[:n])
	s.size += int64(n)
	return n, err
}

func (s *spoolStream) Commit(ctx context.Context, d digest.Digest) error {
	defer s.Abort()
	if got := digest.NewDigest(digest.SHA256, s.hash); got != d {
		return fmt.Errorf("%s: %w: the bytes of blob %s have the digest %s", s.dst, content.ErrIntegrity, d, got)
	}
	return s.dst.PutBlob(ctx, content.Descriptor{Digest: d, Size: s.size}, io.NewSectionReader(s.file, 0, s.size))
}

func (s *spoolStream) Abort() {
	if !s.ended {
		s.ended = true
		_ = s.file.Close() // it has no name, and nobody reads it
	}
}
