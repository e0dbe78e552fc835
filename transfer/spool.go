package transfer

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
)

// spooled is a [Source] of which one blob is in a temporary file: it is read
// from the source once, and as often as needed from the file.
type spooled struct {
	Source
	file tempFile
	size int64
}

var _ fileReader = (*spooled)(nil)

// spool brings a blob into a temporary file. The caller closes it.
func (c *copier) spool(ctx context.Context, from Source, d Descriptor, connections int) (_ *spooled, err error) {
	file, err := newTempFile(c.tempDir)
	if err != nil {
		return nil, err
	}
	s := &spooled{from, file, d.Size}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if src, ok := from.(rangeReader); ok {
		open, err := src.Ranges(ctx, d)
		if err == nil {
			err = fetchRanges(ctx, wholeFile(file), d, c.limit(open), connections, func(int64) {})
		}
		if !errors.Is(err, errNoRanges) {
			return s, err
		}
	}
	content, err := from.Blob(ctx, d)
	if err != nil {
		return s, err
	}
	defer content.Close()
	_, err = io.Copy(io.NewOffsetWriter(file, 0), newVerifier(ctx, content, d))
	return s, err
}

// BlobFile gives the file; its Close leaves it for the others.
func (s *spooled) BlobFile(context.Context, Descriptor) (BlobFile, error) {
	return sectionFile{io.NewSectionReader(s.file, 0, s.size)}, nil
}

// Blob reads the file.
func (s *spooled) Blob(context.Context, Descriptor) (io.ReadCloser, error) {
	return sectionFile{io.NewSectionReader(s.file, 0, s.size)}, nil
}

// Close removes the file.
func (s *spooled) Close() error { return s.file.Close() }

// wholeFile is a [ranges.File] of which nothing is there yet.
type wholeFile struct{ *os.File }

func (wholeFile) Done() []ranges.Span       { return nil }
func (wholeFile) AddDone(ranges.Span) error { return nil }
