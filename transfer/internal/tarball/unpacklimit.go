package tarball

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"syscall"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/tempfile"
)

const (
	// maxRatio is how many times the size of a compressed tar it may have unpacked. File
	// systems compress to a third, and gzip packs zeros a thousandfold.
	maxRatio = 100
	// freelyUnpacked is how many bytes may be unpacked whatever the ratio.
	freelyUnpacked = 1 << 30
	// roomStep is after how many bytes the free space is looked at.
	roomStep = 64 << 20
	// maxReserve in bytes is left free for others, or a twentieth of the file system if
	// that is less.
	maxReserve = 1 << 30
)

// roomWriter writes what is unpacked of a stream to a temporary file, and stops before
// that fills the disk: whoever made the stream decides how much it is.
type roomWriter struct {
	w      io.Writer
	dir    string
	packed *int64 // bytes read of the stream; nil if it is not compressed
	freely int64  // bytes that are written whatever the ratio
	free   func(dir string) (free, total int64, err error)

	written, looked int64
}

func newRoomWriter(temp tempfile.File, packed *int64) *roomWriter {
	return &roomWriter{w: temp, dir: filepath.Dir(temp.Name()), packed: packed, freely: freelyUnpacked, free: files.Free}
}

func (r *roomWriter) Write(p []byte) (int, error) {
	after := r.written + int64(len(p))
	if r.packed != nil && after > r.freely && after/maxRatio > *r.packed {
		return 0, fmt.Errorf("%w: it unpacks to more than %d times its size (%d bytes so far of %d), as no image does; if it is right, unpack it with another program and use the plain tar",
			content.ErrUnsupported, maxRatio, after, *r.packed)
	}
	if after-r.looked >= roomStep {
		r.looked = after
		// Where it is not known, the disk itself refuses.
		if free, total, err := r.free(r.dir); err == nil && free < min(maxReserve, total/20)+int64(len(p)) {
			return 0, fmt.Errorf("%w in %s for what is unpacked: %d MiB are free after %d MiB of it", content.ErrNoRoom, r.dir, free>>20, r.written>>20)
		}
	}
	n, err := r.w.Write(p)
	r.written += int64(n)
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("%w in %s for what is unpacked: %w", content.ErrNoRoom, r.dir, err)
	}
	return n, err
}
