package transfer

import (
	"context"
	"io"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/tempfile"
)

// localSource is a [content.Source] of which one blob is in a file of this machine.
type localSource struct {
	content.Source
	file content.BlobFile
	size int64
}

// local returns a source of the blob d with a file of [Options].Local, and false if that has no file with its bytes. The caller
// closes the file.
func (c *copier) local(ctx context.Context, d content.Descriptor) (_ *localSource, ok bool) {
	if c.onDisk == nil {
		return nil, false
	}
	file, err := c.onDisk.BlobFile(ctx, d)
	if err != nil {
		return nil, false // the source has it
	}
	s := &localSource{c.src, file, d.Size}
	// What is wrong now need not be taken back from a destination later.
	if _, err := io.Copy(io.Discard, content.NewVerifyingReader(ctx, s.section(0, d.Size), d)); err != nil {
		file.Close()
		return nil, false
	}
	return s, true
}

func (s *localSource) section(first, n int64) tempfile.Section {
	return tempfile.Section{SectionReader: io.NewSectionReader(s.file, first, n)}
}

// Blob reads the file.
func (s *localSource) Blob(context.Context, content.Descriptor) (io.ReadCloser, error) {
	return s.section(0, s.size), nil
}

// BlobFile returns the file; its Close leaves it for the others.
func (s *localSource) BlobFile(context.Context, content.Descriptor) (content.BlobFile, error) {
	return s.section(0, s.size), nil
}

// Ranges reads the file, so that what an earlier copy has begun is completed.
func (s *localSource) Ranges(context.Context, content.Descriptor) (content.RangeOpener, error) {
	return func(_ context.Context, first, n int64) (io.ReadCloser, error) { return s.section(first, n), nil }, nil
}

// Close closes the file.
func (s *localSource) Close() error { return s.file.Close() }
