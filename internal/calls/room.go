package calls

import (
	"context"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// largeAnswer is how many bytes of an answer need no room, see [WithRoom].
const largeAnswer = 64 << 10

type roomKey struct{}

// WithRoom returns a context by which take is called before more than 64 KiB of the body of an answer are read, each
// time for each answer. Its error is that of the read, and final. The time that it takes does not count against the
// server.
func WithRoom(ctx context.Context, take func(context.Context) error) context.Context {
	return context.WithValue(ctx, roomKey{}, take)
}

// answerRoom asks for room for one answer.
type answerRoom struct {
	take func(context.Context) error // nil if there is enough
	left int64                       // bytes that need none
}

func newAnswerRoom(ctx context.Context) answerRoom {
	take, _ := ctx.Value(roomKey{}).(func(context.Context) error)
	return answerRoom{take, largeAnswer}
}

// bytes returns how many bytes of p may be read, once there is room for them.
func (r *answerRoom) bytes(ctx context.Context, p []byte) ([]byte, error) {
	switch {
	case r.take == nil:
		return p, nil
	case r.left > 0:
		return p[:min(int64(len(p)), r.left)], nil
	}
	if err := r.take(ctx); err != nil {
		return nil, retry.As(retry.Final, err)
	}
	r.take = nil
	return p, nil
}

// read notes that n bytes were read.
func (r *answerRoom) read(n int) { r.left -= int64(n) }
