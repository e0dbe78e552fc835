package governance

import (
	"context"
	"fmt"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/awscalls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

const (
	// firstPause and maxPause are the pauses between two looks at what takes seconds or minutes.
	firstPause = 300 * time.Millisecond
	maxPause   = 10 * time.Second
	// lastLook is kept for the last look, unless the limit is short.
	lastLook = 2 * time.Second
)

// await is awaitAfter with [firstPause].
func await(ctx context.Context, limit time.Duration, look func(context.Context) (done bool, err error)) (done bool, err error) {
	return awaitAfter(ctx, limit, firstPause, look)
}

// awaitAfter looks until what it waits for is done, look fails, or limit is over; then done
// is false. It looks at least once, and with a limit of 0 only once. The first pause
// is first. The limit ends a look, too, with all its requests and their retries. A
// transient error ends the wait only when the limit is over.
func awaitAfter(ctx context.Context, limit, first time.Duration, look func(context.Context) (done bool, err error)) (done bool, err error) {
	if limit <= 0 {
		return look(ctx)
	}
	until := time.Now().Add(limit)
	limited, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for pause := first; ; pause = min(pause*3/2, maxPause) {
		done, err = look(limited)
		switch {
		case done && err == nil:
			return true, nil
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil && limited.Err() == nil && !mayPass(limited, err):
			return false, err
		}
		next := min(pause, time.Until(until)-min(lastLook, limit/10))
		if next < first {
			break
		}
		if err := (retry.System{}).Sleep(ctx, next); err != nil {
			return false, err
		}
	}
	if err != nil {
		err = fmt.Errorf("no result after %v: %w", limit, err)
	}
	return false, err
}

// left returns what is left until a time of a limit, enough for a look. 0 stays 0.
func left(limit time.Duration, until time.Time) time.Duration {
	if limit <= 0 {
		return 0
	}
	return max(time.Until(until), min(lastLook, limit))
}

// mayPass reports whether a call that failed is worth another one, although it was retried
// for some seconds.
func mayPass(ctx context.Context, err error) bool {
	v, _ := awscalls.Judge(ctx, err)
	return v != retry.Final
}
