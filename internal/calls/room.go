package calls

import (
	"context"
	"io"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/calls/room"
)

const (
	// largeAnswer is how many bytes of an answer need no room, see [room.Room].
	largeAnswer = 64 << 10
	// spoolChunk is how many bytes are read at once of an answer that is spooled.
	spoolChunk = 32 << 10
)

// roomyBody is the body of an answer, for which there is room before more than its first bytes are read into memory.
type roomyBody struct {
	io.ReadCloser
	ctx  context.Context
	room room.Room
	left int64 // bytes that need no room

	spool room.Spool // nil if nothing is spooled, or all of that was read
	rest  []byte     // was read, behind what is spooled
	err   error      // of reading the body, behind that
}

// withRoom returns body with the room of a context.
func withRoom(ctx context.Context, body io.ReadCloser) io.ReadCloser {
	r := room.Of(ctx)
	if r.Take == nil {
		return body
	}
	return &roomyBody{ReadCloser: body, ctx: ctx, room: r, left: largeAnswer}
}

func (b *roomyBody) Read(p []byte) (int, error) {
	if b.left > 0 {
		n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(n)
		return n, err
	}
	if err := b.takeRoom(); err != nil {
		return 0, err
	}
	if b.spool != nil {
		n, err := b.spool.Read(p)
		if err != io.EOF {
			return n, err
		}
		b.closeSpool()
		if n > 0 {
			return n, nil
		}
	}
	if len(b.rest) > 0 {
		n := copy(p, b.rest)
		b.rest = b.rest[n:]
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.ReadCloser.Read(p)
}

// takeRoom spools the rest of the body, if that is possible, and then waits for room.
func (b *roomyBody) takeRoom() (err error) {
	if b.room.Take == nil {
		return nil
	}
	if b.room.Spool != nil {
		b.spool, err = b.room.Spool(b.ctx)
		b.room.Spool = nil
	}
	if err == nil && b.spool != nil {
		b.fill()
		if b.err != nil && b.err != io.EOF {
			return b.err
		}
	}
	if err == nil {
		err = b.room.Take(b.ctx)
	}
	if err != nil {
		return retry.As(retry.Final, err)
	}
	b.room.Take = nil
	return nil
}

// fill spools the body up to its end, or as much as is kept.
func (b *roomyBody) fill() {
	chunk := make([]byte, spoolChunk)
	for b.err == nil && len(b.rest) == 0 {
		var n int
		n, b.err = b.ReadCloser.Read(chunk)
		kept, err := b.spool.Write(chunk[:n])
		if err != nil {
			b.rest = chunk[kept:n]
			return
		}
	}
}

func (b *roomyBody) closeSpool() {
	if b.spool != nil {
		_ = b.spool.Close() // what it kept was read, or nobody needs it
		b.spool = nil
	}
}

func (b *roomyBody) Close() error {
	b.closeSpool()
	return b.ReadCloser.Close()
}
