package transfer

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/tempfile"
)

// spooled is a [content.Source] of which one blob is in a temporary file: it is read
// from the source once, and as often as needed from the file.
type spooled struct {
	content.Source
	file tempfile.File
	size int64
}

var _ content.FileReader = (*spooled)(nil)

// spool brings a blob into a temporary file. The caller closes it.
func (c *copier) spool(ctx context.Context, from content.Source, d content.Descriptor, connections int) (_ *spooled, err error) {
	file, err := tempfile.New(c.tempDir)
	if err != nil {
		return nil, err
	}
	s := &spooled{from, file, d.Size}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if src, ok := from.(content.RangeReader); ok {
		open, err := src.Ranges(ctx, d)
		if err == nil {
			err = fetchRanges(ctx, wholeFile(file), from, d, c.limit(open), connections, func(int64) {})
		}
		if !errors.Is(err, content.ErrNoRanges) {
			return s, err
		}
	}
	data, err := openBlob(ctx, from, d)
	if err != nil {
		return s, err
	}
	defer data.Close()
	_, err = io.Copy(io.NewOffsetWriter(file, 0), verified(ctx, from, data, d))
	return s, err
}

// BlobFile returns the file; its Close leaves it for the others.
func (s *spooled) BlobFile(context.Context, content.Descriptor) (content.BlobFile, error) {
	return tempfile.Section{SectionReader: io.NewSectionReader(s.file, 0, s.size)}, nil
}

// Blob reads the file.
func (s *spooled) Blob(context.Context, content.Descriptor) (io.ReadCloser, error) {
	return tempfile.Section{SectionReader: io.NewSectionReader(s.file, 0, s.size)}, nil
}

// Close removes the file.
func (s *spooled) Close() error { return s.file.Close() }

// wholeFile is a [content.PartialFile] of which nothing is there yet.
type wholeFile struct{ *os.File }

func (wholeFile) Done() []content.Span { return nil }

func (wholeFile) AddDone(content.Span) error { return nil }
