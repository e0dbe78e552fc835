// Package unpack bounds what is written to a temporary file of a stream that somebody else has made.
package unpack

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// MaxRatio is how many times the size of a compressed tar it may have unpacked. File
	// systems compress to a third, and gzip packs zeros a thousandfold.
	MaxRatio = 100
	// Freely is how many bytes may be unpacked whatever the ratio.
	Freely = 1 << 30
	// roomStep is after how many bytes at most the free space is looked at again.
	roomStep = 64 << 20
	// maxReserve in bytes is left free for others, or a twentieth of the file system if
	// that is less.
	maxReserve = 1 << 30
)

// Writer writes what is unpacked of a stream to a temporary file, and stops before that fills the disk: whoever made the
// stream decides how much it is. Its error wraps [content.ErrUnsupported] or [content.ErrNoRoom].
type Writer struct {
	W   io.Writer
	Dir string // of the temporary file
	// Packed is how many bytes were read of the stream; nil if it is not compressed.
	Packed *int64
	Freely int64 // bytes that are written whatever the ratio
	// Advice is what to do about a stream that is right.
	Advice string
	// Free returns the free and all bytes of the file system of a directory.
	Free func(dir string) (free, total int64, err error)

	written int64
	look    int64 // how much is written when the free space is looked at
}

// NewWriter returns a Writer to a temporary file in dir, with the usual limits.
func NewWriter(w io.Writer, dir string, packed *int64) *Writer {
	return &Writer{W: w, Dir: dir, Packed: packed, Freely: Freely, Free: files.Free}
}

// Write writes p, or nothing of it.
func (r *Writer) Write(p []byte) (int, error) {
	after := r.written + int64(len(p))
	if r.Packed != nil && after > r.Freely && after/MaxRatio > *r.Packed {
		return 0, fmt.Errorf("%w: it unpacks to more than %d times its size (%d bytes so far of %d), as no image does%s",
			content.ErrUnsupported, MaxRatio, after, *r.Packed, r.Advice)
	}
	if after >= r.look {
		r.look = after + roomStep
		// Where it is not known, the disk itself refuses.
		if free, total, err := r.Free(r.Dir); err == nil {
			room := free - min(maxReserve, total/20) - int64(len(p))
			if room < 0 {
				return 0, fmt.Errorf("%w in %s for what is unpacked: %d MiB are free after %d MiB of it", content.ErrNoRoom, r.Dir, free>>20, r.written>>20)
			}
			r.look = after + min(room, roomStep)
		}
	}
	n, err := r.W.Write(p)
	r.written += int64(n)
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("%w in %s for what is unpacked: %w", content.ErrNoRoom, r.Dir, err)
	}
	return n, err
}
