package awscalls

import (
	"context"
	"sync/atomic"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// Earlier is what is known of the tries of a call before its last one. A try that ended without an answer may have been
// carried out: what it has created then exists for the next one, and what it has deleted is missing.
type Earlier struct{ unanswered atomic.Bool }

type earlierKey struct{}

// WithEarlier returns the context for one call, and what is known of its tries when it has ended.
func WithEarlier(ctx context.Context) (context.Context, *Earlier) {
	e := new(Earlier)
	return context.WithValue(ctx, earlierKey{}, e), e
}

// MayHaveRun reports whether a try before the last one may have been carried out.
func (e *Earlier) MayHaveRun() bool { return e.unanswered.Load() }

// noteEarlier notes what became of a try that another one follows.
func noteEarlier(ctx context.Context, v retry.Verdict) {
	if e, ok := ctx.Value(earlierKey{}).(*Earlier); ok && v == retry.Transient {
		e.unanswered.Store(true)
	}
}
