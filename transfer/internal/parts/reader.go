package parts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// maxBuffer is how large a blob may be, in bytes, that is read into memory to be read more than once.
const maxBuffer = content.DefaultPartSize

// FromReader returns the content of a blob of size bytes for an upload that may have to read it again: r from where it
// is, if it is an io.ReaderAt and io.Seeker; else what r has, in memory, if that is at most 10 MiB. A larger blob can
// only be read once, and a part of it as often as needed. The error is that of r, also at its end.
func FromReader(r io.Reader, size int64) (content.PartReader, error) {
	if file, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	}); ok {
		if at, err := file.Seek(0, io.SeekCurrent); err == nil {
			return File{io.NewSectionReader(file, at, size)}, nil
		}
	}
	if size > maxBuffer {
		return once(r), nil
	}
	// One byte more than the size: r is read to its end, where its error may be, and what is too long is noticed.
	data, err := io.ReadAll(io.LimitReader(r, size+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(data)) > size:
		return nil, fmt.Errorf("%w: the content is longer than the %d bytes of its descriptor", content.ErrIntegrity, size)
	}
	return File{bytes.NewReader(data)}, nil
}

// once is content that can be read once only.
func once(r io.Reader) *Stream {
	opened := false
	return &Stream{Memory: NewMemory(), Open: func(context.Context) (io.ReadCloser, error) {
		if opened {
			return nil, errors.New("the content cannot be read a second time")
		}
		opened = true
		return io.NopCloser(r), nil
	}}
}
