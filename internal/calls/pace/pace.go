// Package pace keeps calls within the rates that a service allows: one token bucket
// for each operation, which learns from what the service refuses.
package pace

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// Outcome is what became of a call.
type Outcome int

const (
	// Accepted means that the service did not throttle the call.
	Accepted Outcome = iota
	// Throttled means that the service refused the call because of its rate.
	Throttled
	// Unknown means that there was no answer.
	Unknown
)

const (
	// decrease is what a rate is multiplied by when a call was throttled.
	decrease = 0.75
	// recovery, search and probing are by how much the rate grows in a second while
	// calls are accepted and wait for each other, as a share of what is known to be
	// allowed: up to that, from there to the first rate, and above it. A quota may
	// have been raised, but mostly it has not, and to find out costs a refusal.
	recovery, search, probing = 0.05, 0.03, 0.002
	// A service that has never throttled a call is asked for more: after patience seconds' worth of calls, the
	// rate grows by discovery with each accepted call, and so doubles four times in a second.
	patience, discovery = 3, 4 * math.Ln2
	// floor and ceiling are how far a rate may go, in first rates.
	floor, ceiling = 0.01, 10
	// many is how many seconds' worth of calls have the service asked sooner and for more, with patienceOfMany and
	// ceilingOfMany: what it may throttle then is a small part of them.
	many, patienceOfMany, ceilingOfMany = 4, 1, 100
	// burst is how many seconds' worth of calls may go at once: half of what the
	// service allows if it allows a second's worth, as other processes call it too.
	burst = 0.5
	// forgotten is how long after a call was throttled this says nothing about the next one.
	forgotten = 5 * time.Minute
	// window is for how long accepted calls are counted together.
	window = 2 * time.Second
	// longest is how far ahead a time may be, that the service has named, for which a call waits whose context has no
	// [retry.Patience]: a little further than a call is retried that was throttled ([retry.Policy].Throttled).
	longest = 11 * time.Minute
)

// Bucket paces the calls of one operation. It is safe for concurrent use.
type Bucket struct {
	clock retry.Clock
	first float64 // calls per second to begin with

	// turn is held by the call that is next, so that calls go in the order in
	// which they came.
	turn chan struct{}

	mu       sync.Mutex
	closed   chan struct{} // is closed when the service names a time before which it wants no call
	rate     float64       // calls per second
	known    float64       // the rate that was allowed when the last call was refused
	tokens   float64       // at the time filled
	filled   time.Time     // may lie ahead: there are no tokens before
	lowered  time.Time     // when the rate was lowered
	crowded  time.Time     // when a call had to wait for its token
	accepted counter
	calls    int     // that were accepted
	patience float64 // in seconds' worth of calls, see the constant
	ceiling  float64 // in calls per second

	throttledFrom, throttledTo time.Time // all calls that were answered between were throttled; zero if none was
}

// counter counts what happened in this window and the one before.
type counter struct {
	began       time.Time // of this window
	now, before int
	wasBefore   bool
}

func (c *counter) move(now time.Time) {
	switch passed := now.Sub(c.began); {
	case passed >= 2*window:
		*c = counter{began: now}
	case passed >= window:
		*c = counter{began: c.began.Add(window), before: c.now, wasBefore: true}
	}
}

// rate is how many there were in a second; ok reports whether that is known.
func (c *counter) rate(now time.Time) (rate float64, ok bool) {
	c.move(now)
	passed := now.Sub(c.began)
	if c.wasBefore {
		passed += window
	}
	return float64(c.now+c.before) / passed.Seconds(), passed > window/8
}

// NewBucket begins with rate calls per second.
func NewBucket(clock retry.Clock, rate float64) *Bucket {
	b := &Bucket{clock: clock, first: rate, rate: rate, known: rate, patience: patience, ceiling: rate * ceiling, turn: make(chan struct{}, 1), closed: make(chan struct{})}
	b.filled = clock.Now()
	b.accepted.began = b.filled
	b.tokens = b.size()
	return b
}

// Expect says that so many calls are going to be made. If they are many, it is tried sooner whether the service allows more
// than the first rate.
func (b *Bucket) Expect(calls int) {
	if float64(calls) < many*b.first {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.patience, b.ceiling = patienceOfMany, b.first*ceilingOfMany
}

// size is how many tokens the bucket holds.
func (b *Bucket) size() float64 { return max(1, b.rate*burst) }

// Wait waits until a call may be made, and returns the time for Done. The error is
// that of the context, or a [*retry.LimitError].
func (b *Bucket) Wait(ctx context.Context) (time.Time, error) {
	select {
	case b.turn <- struct{}{}:
	default:
		b.mu.Lock()
		b.crowded = b.clock.Now()
		b.mu.Unlock()
		if err := b.queue(ctx); err != nil {
			return time.Time{}, err
		}
	}
	defer func() { <-b.turn }()
	w, key := retry.WatchOf(ctx), new(byte)
	if w != nil {
		defer w.Ended(key, retry.Final, time.Time{})
	}
	for {
		if err := ctx.Err(); err != nil {
			return time.Time{}, err
		}
		now := b.clock.Now()
		wait, named := b.take(now)
		if wait <= 0 {
			return now, nil
		}
		if named && !retry.PatienceOf(ctx).Allows(wait, longest) {
			if w != nil {
				w.Ended(key, retry.Throttled, now.Add(wait))
			}
			return time.Time{}, &retry.LimitError{Until: now.Add(wait)}
		}
		if named && w != nil {
			w.Waits(key, retry.Throttled, now.Add(wait))
		}
		if err := b.clock.Sleep(ctx, wait); err != nil {
			return time.Time{}, err
		}
	}
}

// queue waits for the turn. The error is that of the context.
func (b *Bucket) queue(ctx context.Context) error {
	w, key := retry.WatchOf(ctx), new(byte)
	if w != nil {
		defer w.Ended(key, retry.Final, time.Time{})
	}
	for {
		b.mu.Lock()
		closed, until := b.closed, b.filled
		b.mu.Unlock()
		if w != nil && until.After(b.clock.Now()) {
			w.Waits(key, retry.Throttled, until)
		}
		select {
		case b.turn <- struct{}{}:
			return nil
		case <-closed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take takes a token, or says how long it will take until there is one, and whether the service has named that time.
func (b *Bucket) take(now time.Time) (wait time.Duration, named bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if passed := now.Sub(b.filled); passed > 0 {
		b.tokens = min(b.tokens+passed.Seconds()*b.rate, b.size())
		b.filled = now
	}
	if wait := b.filled.Sub(now); wait > 0 {
		b.crowded = now
		return wait, true
	}
	if b.tokens < 1 {
		b.crowded = now
		// At least a nanosecond, or rounding would have it spin.
		return time.Duration((1-b.tokens)/b.rate*float64(time.Second)) + 1, false
	}
	b.tokens--
	return 0, false
}

// Done reports what became of the call for which Wait returned sent, and until when
// the service wants no other one of the operation; the zero time if it did not say.
func (b *Bucket) Done(sent time.Time, o Outcome, retryAfter time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	switch o {
	case Accepted:
		b.throttledFrom, b.throttledTo = time.Time{}, time.Time{}
		b.accepted.move(now)
		b.accepted.now++
		b.calls++
		b.raise(now)
	case Throttled:
		if b.throttledFrom.IsZero() || now.Sub(b.throttledTo) > forgotten {
			b.throttledFrom = now
		}
		b.throttledTo = now
		b.lower(sent, now)
	}
	if retryAfter.After(now) && retryAfter.After(b.filled) {
		// One call goes then, and the others at the rate after it. Other processes
		// got the same time: they get some distance.
		b.filled = retryAfter.Add(jitter(min(retryAfter.Sub(now)/10, time.Second)))
		b.tokens = 1
		close(b.closed)
		b.closed = make(chan struct{})
	}
}

// ThrottledSince returns since when the service has throttled each call that it answered;
// the zero time if it has accepted the last one.
func (b *Bucket) ThrottledSince() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.throttledFrom
}

func (b *Bucket) raise(now time.Time) {
	if now.Sub(b.crowded) > time.Second {
		return // the rate is not what limits them
	}
	step := probing
	switch {
	case b.lowered.IsZero() && float64(b.calls) >= b.patience*b.first:
		b.rate = min(b.rate+discovery, b.ceiling)
		return
	case b.rate < b.known:
		step = recovery
	case b.rate < b.first:
		step = search
	}
	// At the full rate there are b.rate calls in a second.
	b.rate = min(b.rate+step*b.known/b.rate, b.ceiling)
}

func (b *Bucket) lower(sent, now time.Time) {
	if !b.filled.After(now) { // else there are none before that time
		b.tokens = min(b.tokens, 0)
	}
	if !sent.After(b.lowered) {
		return // it was refused for the same reason as the one before
	}
	above := b.rate > b.first
	b.known = b.rate
	if accepted, ok := b.accepted.rate(now); ok {
		b.known = min(b.known, accepted)
	}
	if above && b.lowered.IsZero() {
		b.known = max(b.first, b.known-b.first) // a second's worth was the burst of the service
	}
	b.known = max(b.known, b.first*floor)
	b.rate = max(b.known*decrease, b.first*floor)
	b.lowered = now
}

// jitter is a random time below d.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
