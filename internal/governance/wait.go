package governance

import (
	"context"
	"time"
)

// Between two looks at what takes seconds or minutes there is a short pause at first and
// then longer ones.
const (
	firstPause = 300 * time.Millisecond
	maxPause   = 10 * time.Second
)

// await looks until what it waits for is done, look fails, or limit is over; then done
// is false. A call under way when the limit is over is not cut off, so that what it
// says counts.
func await(ctx context.Context, limit time.Duration, look func(context.Context) (done bool, err error)) (done bool, err error) {
	over := time.NewTimer(limit)
	defer over.Stop()
	for pause := firstPause; ; pause = min(pause*3/2, maxPause) {
		if done, err = look(ctx); done || err != nil {
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
