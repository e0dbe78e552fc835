package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// ErrUnsettled reports that others replaced what was written each time.
var ErrUnsettled = errors.New("other clients replace it all the time")

const (
	// MaxSettleTries is how often an entry is made in a list that others replace too.
	MaxSettleTries = 10
	// SettlePause is the shortest time after which the list is read again: a writer
	// on a busy machine may take that long where the registry is near.
	SettlePause = 300 * time.Millisecond
)

// Settle adds to a list that others may replace at the same time. Two writers may read the
// same list, and the second then removes what the first has added, since no registry must
// know If-Match. So each looks again, after the time that a writer needs which read before.
//
// look reads the list and returns what adds to it, or nil if that is done. It is called again
// no sooner than pause after a write, which is made tries times at most; then the error is
// [ErrUnsettled].
func Settle(ctx context.Context, tries int, pause time.Duration, look func(context.Context) (write func(context.Context) error, err error)) error {
	clock := ClockOf(ctx)
	for n := 0; ; n++ {
		start := clock.Now()
		write, err := look(ctx)
		if err != nil || write == nil {
			return err
		}
		if n == tries {
			return ErrUnsettled
		}
		if err := write(ctx); err != nil {
			return err
		}
		took := max(clock.Now().Sub(start), 0)
		if err := clock.Sleep(ctx, max(2*took, pause)+rand.N(took+time.Millisecond)); err != nil {
			return err
		}
	}
}
