package retry

import (
	"context"
	"time"
)

type answerKey struct{}

// WithAnswer returns a context whose requests wait for an answer no longer than d, where [Policy.Answer] may be more: somebody
// waits for what they return.
func WithAnswer(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, answerKey{}, d)
}

// AnswerOf returns how long a request with this context may wait for its answer, of which its policy says usual.
func AnswerOf(ctx context.Context, usual time.Duration) time.Duration {
	if d, ok := ctx.Value(answerKey{}).(time.Duration); ok && usual > 0 {
		return min(d, usual)
	}
	return usual
}

// Turn waits until it can put an element into turn, behind others that talk to the same service. The watch of the context gets a
// call if that takes longer than a second: they may have no answer. ended is called when the caller has all that it wanted of the
// service, so that the time for it begins in the queue. The error is that of the context.
func Turn(ctx context.Context, turn chan<- struct{}) (ended func(), _ error) {
	ended = func() {}
	soon := time.NewTimer(time.Second)
	defer soon.Stop()
	for {
		select {
		case turn <- struct{}{}:
			return ended, nil
		case <-ctx.Done():
			ended()
			return func() {}, ctx.Err()
		case <-soon.C:
			if w := WatchOf(ctx); w != nil {
				key := &queued{time.Now().Add(-time.Second)}
				w.Waits(key, Transient, time.Now())
				ended = func() { w.Ended(key, Final, time.Time{}) }
			}
		}
	}
}

// queued is a request that waits for others.
type queued struct{ began time.Time }

// Since returns when the request began that the key of a [Watch] names: it was sent first, or waits for others since then. The zero
// time is that it is not known.
func Since(key any) time.Time {
	switch k := key.(type) {
	case *Tries:
		return k.began
	case *queued:
		return k.began
	}
	return time.Time{}
}
