package governance

import (
	"context"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// Between two looks at what takes seconds or minutes there is a short pause at first and
// then longer ones.
const (
	firstPause = 300 * time.Millisecond
	maxPause   = 10 * time.Second
)

// await looks until what it waits for is done, look fails, or limit is over; then done
// is false. It looks at least once, and again when the limit is over. An error that
// may pass, of too many calls for one, ends it only then.
func await(ctx context.Context, limit time.Duration, look func(context.Context) (done bool, err error)) (done bool, err error) {
	over := time.NewTimer(limit)
	defer over.Stop()
	for pause := firstPause; ; pause = min(pause*3/2, maxPause) {
		if done, err = look(ctx); done || err != nil && !mayPass(ctx, err) || limit <= 0 {
			return done, err
		}
		next := time.NewTimer(pause)
		select {
		case <-next.C:
		case <-over.C:
			next.Stop()
			return look(ctx)
		case <-ctx.Done():
			next.Stop()
			return false, ctx.Err()
		}
	}
}

// mayPass reports whether a call that failed is worth another one, although it was retried
// for some seconds.
func mayPass(ctx context.Context, err error) bool {
	v, _ := awscalls.Judge(ctx, err)
	return v != retry.Final
}
