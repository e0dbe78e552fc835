package ranges

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Whole returns an opener for a blob that can only be read from its first byte on: it skips what is before the range.
func Whole(open func(context.Context) (io.ReadCloser, error)) content.RangeOpener {
	return func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
		body, err := open(ctx)
		if err != nil {
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, body, first); err != nil {
			body.Close()
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		return body, nil
	}
}

// Reopen returns a reader of a blob that can only be read from its first byte on, and that body is open at. If the
// connection to the source breaks, open opens the blob again, and the bytes that have come are skipped. The caller
// verifies the whole. Failures that are not of the network are passed on.
func Reopen(ctx context.Context, body io.ReadCloser, open func(context.Context) (io.ReadCloser, error)) io.ReadCloser {
	return &reopened{ctx: ctx, body: body, open: Whole(open), tries: retry.New(retry.Default())}
}

type reopened struct {
	ctx  context.Context
	body io.ReadCloser // nil if none is open
	open content.RangeOpener

	at    int64
	came  int64 // since the last failure
	opens int   // again
	tries *retry.Tries
}

func (r *reopened) Read(p []byte) (int, error) {
	for {
		n, err := r.read(p)
		r.at += int64(n)
		if r.came += int64(n); n > 0 && r.came >= worthwhile(r.at) {
			r.tries.Progress()
		}
		if err == nil || err == io.EOF || !isNetwork(err) {
			return n, err
		}
		r.Close()
		if n > 0 {
			return n, nil
		}
		r.came = 0
		if err := giveUp(r.ctx, r.tries, err); err != nil {
			return 0, fmt.Errorf("at byte %d: %w", r.at, err)
		}
		if err := r.tries.Wait(r.ctx); err != nil {
			return 0, err
		}
	}
}

func (r *reopened) read(p []byte) (int, error) {
	if r.body == nil {
		r.opens++
		body, err := r.open(r.tries.With(retry.Repeated(r.ctx, r.opens)), r.at, -1)
		if err != nil {
			return 0, err
		}
		r.body = body
	}
	return r.body.Read(p)
}

func (r *reopened) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}

// isNetwork reports whether an error is one of a connection.
func isNetwork(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
}
