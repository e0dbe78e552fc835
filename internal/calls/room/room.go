// Package room is how a caller bounds the memory for what its requests read. It imports neither net/http nor an AWS SDK,
// so that the engine and the proxy can use it.
package room

import "context"

type key struct{}

// With returns a context by which take is called before more than 64 KiB of the body of an answer are read, once for each
// answer. Its error is that of the read, and final. The time that it takes does not count against the server.
func With(ctx context.Context, take func(context.Context) error) context.Context {
	return context.WithValue(ctx, key{}, take)
}

// Of returns what [With] has set; nil if nothing.
func Of(ctx context.Context) (take func(context.Context) error) {
	take, _ = ctx.Value(key{}).(func(context.Context) error)
	return take
}
