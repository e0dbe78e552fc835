// Package parts reads and writes the files of a set of images as one run of bytes.
package parts

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Part is an open file.
type Part struct {
	File  *os.File
	First int64 // its first byte in the run
	Size  int64
}

// Parts are files as one run of bytes.
type Parts []Part

// at calls f with what of p is in each part: the offset is in the part's file.
func (ps Parts) at(p []byte, offset int64, f func(file *os.File, p []byte, offset int64) (int, error)) (n int, err error) {
	for _, part := range ps {
		inside := offset - part.First
		if inside < 0 || inside >= part.Size {
			continue
		}
		piece := p[n:min(int64(len(p)), int64(n)+part.Size-inside)]
		done, err := f(part.File, piece, inside)
		n += done
		offset += int64(done)
		if err != nil && !(errors.Is(err, io.EOF) && done == len(piece)) {
			return n, fmt.Errorf("%s: %w", part.File.Name(), err)
		}
		if n == len(p) {
			return n, nil
		}
	}
	return n, io.EOF
}

// ReadAt reads across parts.
func (ps Parts) ReadAt(p []byte, offset int64) (int, error) {
	return ps.at(p, offset, func(file *os.File, p []byte, offset int64) (int, error) {
		n, err := file.ReadAt(p, offset)
		if errors.Is(err, io.EOF) && n < len(p) { // it had its size when it was opened
			end := offset + int64(n)
			if info, unknown := file.Stat(); unknown == nil {
				end = min(end, info.Size())
			}
			err = fmt.Errorf("%w: it ends at byte %d now; is the medium still there?", content.ErrIntegrity, end)
		}
		return n, err
	})
}

// WriteAt writes across parts.
func (ps Parts) WriteAt(p []byte, offset int64) (int, error) {
	n, err := ps.at(p, offset, (*os.File).WriteAt)
	if errors.Is(err, io.EOF) {
		err = io.ErrShortWrite
	}
	return n, err
}

// Close closes all files.
func (ps Parts) Close() error {
	var errs []error
	for _, part := range ps {
		errs = append(errs, part.File.Close())
	}
	return errors.Join(errs...)
}

// Split returns the sizes of the parts of so many bytes; limit 0 is one part.
func Split(size, limit int64) (sizes []int64) {
	if limit <= 0 {
		limit = size
	}
	for ; size > 0; size -= limit {
		sizes = append(sizes, min(size, limit))
	}
	return sizes
}
