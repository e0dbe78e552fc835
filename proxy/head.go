package proxy

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// headTime bounds how long the first bytes of a blob may take: its client waits for them.
const headTime = time.Second

// readHead returns the first n bytes of a blob; nil if they cannot be read, which its client's request finds out too.
func (h *Handler) readHead(open content.RangeOpener, n int64) []byte {
	if !h.slots.TryAcquire(1) { // clients need all connections
		return nil
	}
	defer h.slots.Release(1)
	ctx, cancel := context.WithTimeout(h.life, headTime)
	defer cancel()
	body, err := open(ctx, 0, n)
	if err != nil {
		return nil
	}
	defer body.Close()
	head := make([]byte, n)
	if _, err := io.ReadFull(body, head); err != nil {
		return nil
	}
	// The end of the body lets the connection serve the next request.
	if m, err := io.CopyN(io.Discard, body, 1); m > 0 || err != io.EOF {
		return nil
	}
	return head
}

// withHead returns an opener of a blob whose first bytes are known: they are not asked for again.
func withHead(head []byte, open content.RangeOpener) content.RangeOpener {
	if len(head) == 0 {
		return open
	}
	return func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
		known := int64(len(head))
		if first != 0 {
			return open(ctx, first, n)
		}
		if n <= known {
			return io.NopCloser(bytes.NewReader(head[:n])), nil
		}
		ctx, cancel := context.WithCancel(ctx)
		r := &headedBody{known: bytes.NewReader(head), cancel: cancel, opened: make(chan openedBody, 1)}
		go func() {
			body, err := open(ctx, known, n-known)
			r.opened <- openedBody{body, err}
		}()
		return r, nil
	}
}

// headedBody is a body that begins with bytes that are known, while its rest is asked for.
type headedBody struct {
	known  *bytes.Reader
	cancel context.CancelFunc
	opened chan openedBody // gets the rest
	rest   *openedBody     // nil before it was waited for
}

type openedBody struct {
	io.ReadCloser
	err error // of opening it
}

func (b *headedBody) Read(p []byte) (int, error) {
	if b.known.Len() > 0 {
		return b.known.Read(p)
	}
	if b.wait(); b.rest.err != nil {
		return 0, b.rest.err
	}
	return b.rest.Read(p)
}

// wait waits for the rest: its opener obeys the context.
func (b *headedBody) wait() {
	if b.rest == nil {
		rest := <-b.opened
		b.rest = &rest
	}
}

func (b *headedBody) Close() error {
	defer b.cancel()
	if b.rest == nil {
		b.cancel()
	}
	if b.wait(); b.rest.err != nil {
		return nil
	}
	return b.rest.Close()
}
