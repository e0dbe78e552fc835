package ranges

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Reader reads a blob in its order over one connection at a time. After a failure
// it goes on from the last byte, with the same tries as [Fetch].
type Reader struct {
	ctx  context.Context
	open content.RangeOpener
	size int64

	at    int64
	body  io.ReadCloser // nil if none is open
	tries int           // in a row without a byte
	pause time.Duration
}

// NewReader reads the size bytes of a blob. The requests end with ctx.
func NewReader(ctx context.Context, open content.RangeOpener, size int64) *Reader {
	return &Reader{ctx: ctx, open: open, size: size, pause: firstPause}
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for r.at < r.size {
		n, err := r.read(p)
		r.at += int64(n)
		if n > 0 {
			r.tries, r.pause = 0, firstPause
			return n, nil // the error comes again, or the rest
		}
		if err == nil {
			continue
		}
		r.Close()
		r.tries++
		if r.ctx.Err() != nil || r.tries == maxTries || content.IsPermanent(err) {
			return 0, fmt.Errorf("at byte %d: %w", r.at, err)
		}
		select {
		case <-time.After(r.pause):
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		}
		r.pause *= 2
	}
	return 0, io.EOF
}

func (r *Reader) read(p []byte) (int, error) {
	if r.body == nil {
		ctx := context.WithValue(r.ctx, requestKey{}, &request{repeated: r.at > 0 || r.tries > 0})
		body, err := r.open(ctx, r.at, r.size-r.at)
		if err != nil {
			return 0, err
		}
		r.body = body
	}
	n, err := r.body.Read(p[:min(int64(len(p)), r.size-r.at)])
	if err == io.EOF {
		r.Close()
		if err = nil; r.at+int64(n) < r.size && n == 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// Close ends the reading.
func (r *Reader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}
