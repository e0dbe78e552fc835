package media

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/ecrkit/ecrkit/transfer/archive"
)

// checkHeaders reads the headers of the blobs and the padding behind them, and compares them with what an export writes. The
// blobs themselves are compared with their digests when they are read. in has all size bytes of the tar.
func (q *sequence) checkHeaders(in io.ReaderAt, size int64) error {
	var padding [block]byte
	for {
		_, more, err := q.blob()
		if err != nil || !more {
			return err
		}
		next := q.size + q.beside
		behind := padding[:q.padding]
		if n, err := in.ReadAt(behind, next-int64(len(behind))); n < len(behind) {
			return damaged("it ends early: %w", err)
		}
		if !isZero(behind) {
			return damaged("the padding of a file is not what was written")
		}
		q.padding = 0
		q.in.r = io.NewSectionReader(in, next, size-next)
		q.tar = tar.NewReader(q.in)
	}
}

// checkTar is checkHeaders of a set in a directory, which has its description beside the tar. It returns where the blobs are.
func checkTar(s Set, in io.ReaderAt) (*archive.Blobs, error) {
	q := &sequence{Set: s, in: &recorder{r: io.NewSectionReader(in, 0, s.Size)}, headers: sha256.New()}
	q.tar = tar.NewReader(q.in)
	if err := q.layout(); err != nil {
		return nil, err
	}
	if err := q.checkIndex(); err != nil {
		return nil, err
	}
	if err := q.checkHeaders(in, s.Size); err != nil {
		return nil, fmt.Errorf("%s: %w", tarFile, err)
	}
	return &q.places, nil
}
