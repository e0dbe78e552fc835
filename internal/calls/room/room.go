// Package room is how a caller bounds the memory for what its requests read. It imports neither net/http nor an AWS SDK,
// so that the engine and the proxy can use it.
package room

import (
	"context"
	"io"
)

// Room is for the answers of requests.
type Room struct {
	// Take is called before more than 64 KiB of the body of an answer are read into memory, once for each answer. Its
	// error is that of the read, and final. The time that it takes does not count against the server.
	Take func(context.Context) error
	// Spool returns what keeps the bytes of one answer behind the first 64 KiB until all have come: only then Take is
	// called, so that no server that sends slowly has room. nil keeps none, and an error ends the read. Without Spool,
	// the bytes come from the server once there is room.
	Spool func(context.Context) (Spool, error)
}

// Spool keeps bytes: they are written, and then read from their beginning. An error of Write means that it keeps no more
// than the bytes that it returns.
type Spool interface {
	io.Writer
	io.Reader
	io.Closer
}

type key struct{}

// With returns a context by which answers take room.
func With(ctx context.Context, r Room) context.Context { return context.WithValue(ctx, key{}, r) }

// Of returns what [With] has set; the zero value if nothing.
func Of(ctx context.Context) Room {
	r, _ := ctx.Value(key{}).(Room)
	return r
}
