package ranges

import (
	"context"
	"fmt"
	"io"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Reader reads a blob in its order over one connection at a time. After a failure
// it resumes at the last byte, with as many tries as [Fetch].
type Reader struct {
	ctx  context.Context
	open content.RangeOpener
	size int64

	at    int64
	came  int64         // since the last failure
	body  io.ReadCloser // nil if none is open
	sent  int           // requests
	tries *retry.Tries
}

// NewReader reads the size bytes of a blob. body is the blob opened at its first byte, nil if it is not open. The
// requests end with ctx.
func NewReader(ctx context.Context, body io.ReadCloser, open content.RangeOpener, size int64) *Reader {
	r := &Reader{ctx: ctx, open: open, size: size, body: body, tries: retry.New(retry.Default())}
	if body != nil {
		r.sent = 1
	}
	return r
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for r.at < r.size {
		if err := r.tries.Wait(r.ctx); err != nil {
			return 0, err
		}
		n, err := r.read(p)
		r.at += int64(n)
		if n > 0 {
			if r.came += int64(n); r.came >= worthwhile(r.size) {
				r.tries.Progress()
			}
			return n, nil // the error comes again, or the rest
		}
		if err == nil {
			continue
		}
		r.came = 0
		r.Close()
		if err := giveUp(r.ctx, r.tries, err); err != nil {
			return 0, fmt.Errorf("at byte %d: %w", r.at, err)
		}
	}
	return 0, io.EOF
}

func (r *Reader) read(p []byte) (int, error) {
	if r.body == nil {
		ctx := r.tries.With(retry.Repeated(r.ctx, r.sent))
		r.sent++
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
