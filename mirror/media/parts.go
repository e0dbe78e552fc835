package media

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// part is an open file of the set.
type part struct {
	file  *os.File
	first int64 // its first byte in the tar
	size  int64
}

// parts are the files of a set as one.
type parts []part

// at calls f with what of p is in each part: the offset is in the part's file.
func (ps parts) at(p []byte, offset int64, f func(file *os.File, p []byte, offset int64) (int, error)) (n int, err error) {
	for _, part := range ps {
		inside := offset - part.first
		if inside < 0 || inside >= part.size {
			continue
		}
		piece := p[n:min(int64(len(p)), int64(n)+part.size-inside)]
		done, err := f(part.file, piece, inside)
		n += done
		offset += int64(done)
		if err != nil && !(errors.Is(err, io.EOF) && done == len(piece)) {
			return n, fmt.Errorf("%s: %w", part.file.Name(), err)
		}
		if n == len(p) {
			return n, nil
		}
	}
	return n, io.EOF
}

// ReadAt reads across parts.
func (ps parts) ReadAt(p []byte, offset int64) (int, error) {
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
func (ps parts) WriteAt(p []byte, offset int64) (int, error) {
	n, err := ps.at(p, offset, (*os.File).WriteAt)
	if errors.Is(err, io.EOF) {
		err = io.ErrShortWrite
	}
	return n, err
}

// Close closes all files.
func (ps parts) Close() error {
	var errs []error
	for _, part := range ps {
		errs = append(errs, part.file.Close())
	}
	return errors.Join(errs...)
}

// split returns the sizes of the parts of so many bytes; limit 0 is one part.
func split(size, limit int64) (sizes []int64) {
	if limit <= 0 {
		limit = size
	}
	for ; size > 0; size -= limit {
		sizes = append(sizes, min(size, limit))
	}
	return sizes
}
