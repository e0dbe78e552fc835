package calls

import (
	"context"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/calls/room"
)

// largeAnswer is how many bytes of an answer need no room, see [room.With].
const largeAnswer = 64 << 10

// answerRoom asks for room for one answer.
type answerRoom struct {
	take func(context.Context) error // nil if there is enough
	left int64                       // bytes that need none
}

func newAnswerRoom(ctx context.Context) answerRoom {
	return answerRoom{room.Of(ctx), largeAnswer}
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
