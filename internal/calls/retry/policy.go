package retry

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Policy is how often and for how long a request is retried, and how long it may stand still. The zero value
// retries nothing.
type Policy struct {
	// Tries is how often a request is sent that fails in a transient way.
	Tries int
	// Pause is the wait before a request is retried; it doubles with each time up to MaxPause.
	Pause, MaxPause time.Duration
	// Throttled is how long a request is retried after it was throttled for the first time, or all requests like it
	// were, see [Tries.ThrottledSince].
	Throttled time.Duration
	// Lag is how long a request is retried that is [Lagging].
	Lag time.Duration
	// Unreachable is how long a request is retried that is [Unreachable].
	Unreachable time.Duration
	// Answer is how long the answer to a request may take, Bytes how long no byte of a request or an answer may
	// move.
	Answer, Bytes time.Duration
	// Unanswered is for how long in all the tries of a request may wait for an answer that does not come, so that there is
	// another one. One that could not wait longer for its first answer is sent twice.
	Unanswered time.Duration
	// Rate is how many bytes a second a request or an answer must move on average, and Slack for how long it may be slower. Zero
	// is any rate.
	Rate  int
	Slack time.Duration
	// Document is how long the body of an answer may take that is read as a whole. Zero is any time.
	Document time.Duration
}

// Default returns the policy for all services. It waits for an answer as long as the AWS CLI.
func Default() Policy {
	return Policy{
		Tries: 8, Pause: 100 * time.Millisecond, MaxPause: 5 * time.Second,
		Throttled: 10 * time.Minute, Lag: 5 * time.Second, Unreachable: time.Second,
		Answer: time.Minute, Bytes: 30 * time.Second, Unanswered: 5 * time.Minute,
		Rate: 512, Slack: 2 * time.Minute, Document: 5 * time.Minute,
	}
}

// backoff is the wait before the next try after n failures: between half of it and all of it at random, so that
// requests that failed together are not sent together.
func (p Policy) backoff(n int) time.Duration {
	d := p.MaxPause
	if n < 16 {
		d = min(p.Pause<<(n-1), p.MaxPause)
	}
	if d < 2 {
		return d
	}
	return d/2 + rand.N(d/2)
}

// Tries are the tries of one request. They are used by one goroutine.
type Tries struct {
	policy Policy

	failures  int
	throttles int
	renewals  int
	throttled time.Time // since when; the zero time if it was not
	lagging   time.Time // since when

	unreachable time.Time // since when

	mu     sync.Mutex    // guards silent and waited: a try may ask by https and http at once
	silent int           // tries that ended without an answer
	waited time.Duration // for the answers that did not come

	began time.Time // when it was sent first; the zero time before
	next  time.Time // when it may be retried; the zero time is at once
	watch Watch     // that was told to wait; nil before
}

// New returns the tries of one request.
func New(p Policy) *Tries { return &Tries{policy: p} }

// Wait waits until the request may be sent, for the first time or again. The error is that of the context.
func (t *Tries) Wait(ctx context.Context) error {
	if t.next.IsZero() {
		return ctx.Err()
	}
	clock := ClockOf(ctx)
	return clock.Sleep(ctx, t.next.Sub(clock.Now()))
}

// Again notes what became of a try, and before which time the service wants no other request (the zero time if it
// did not say). It reports whether the request is to be retried, after [Tries.Wait]. It is not if the context
// would end before.
func (t *Tries) Again(ctx context.Context, v Verdict, notBefore time.Time) bool {
	now := ClockOf(ctx).Now()
	again := false
	t.next = now
	switch v {
	case Throttled:
		if t.throttled.IsZero() {
			t.throttled = now
		}
		t.throttles++
		t.delay(now, t.policy.backoff(t.throttles), notBefore)
		most := t.policy.Throttled
		if !notBefore.IsZero() {
			most = PatienceOf(ctx).most(notBefore.Sub(now), most)
		}
		again = t.next.Sub(t.throttled) <= most
	case Transient:
		t.failures++
		t.delay(now, t.policy.backoff(t.failures), notBefore)
		again = t.failures < t.policy.Tries && t.next.Sub(now) <= max(t.policy.Throttled, t.policy.MaxPause) &&
			t.mayWait()
	case Lagging:
		if t.lagging.IsZero() {
			t.lagging = now
		}
		t.delay(now, 2*t.policy.Pause, notBefore)
		again = t.next.Sub(t.lagging) <= t.policy.Lag
	case Unreachable:
		if t.unreachable.IsZero() {
			t.unreachable = now
		}
		t.failures++
		t.delay(now, t.policy.backoff(t.failures), notBefore)
		again = t.failures < t.policy.Tries && t.next.Sub(t.unreachable) <= t.policy.Unreachable
	case Renewed:
		t.renewals++
		again = t.renewals == 1
	}
	if deadline, ok := ctx.Deadline(); ok && t.next.After(deadline) {
		again = false
	}
	again = again && ctx.Err() == nil
	t.tell(ctx, v, again)
	return again
}

// mayWait reports whether the tries may wait for another answer that does not come.
func (t *Tries) mayWait() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.silent <= 1 || t.waited < t.policy.Unanswered
}

// ThrottledSince notes since when the service has throttled all requests like this one; the zero time is that it has
// not. Many requests to a service that throttles them all are thus given up together, and not one after the other.
func (t *Tries) ThrottledSince(since time.Time) {
	if !since.IsZero() && (t.throttled.IsZero() || since.Before(t.throttled)) {
		t.throttled = since
	}
}

func (t *Tries) delay(now time.Time, pause time.Duration, notBefore time.Time) {
	t.next = now.Add(pause)
	if notBefore.After(t.next) {
		t.next = notBefore
	}
}

// Progress forgets the failures so far: the last try has brought the request forward.
func (t *Tries) Progress() {
	t.End()
	t.began = time.Time{}
	t.mu.Lock()
	t.silent, t.waited = 0, 0
	t.mu.Unlock()
	t.failures, t.throttles, t.throttled, t.lagging, t.unreachable = 0, 0, time.Time{}, time.Time{}, time.Time{}
}

// Do calls send until it succeeds or fails in a way that a retry does not change. An error after the last of
// several tries is a [*GaveUp], or a [*LimitError]. The context of send is one for which [IsRepeated] reports whether this is a retry.
func Do(ctx context.Context, p Policy, send func(ctx context.Context) error) error {
	tries := New(p)
	defer tries.End()
	for n := 0; ; n++ {
		if err := tries.Wait(ctx); err != nil {
			return err
		}
		err := send(tries.With(Repeated(ctx, n)))
		v, notBefore := Judge(ctx, err)
		if v == Final {
			return err
		}
		if !tries.Again(ctx, v, notBefore) {
			if v == Throttled && notBefore.Sub(ClockOf(ctx).Now()) > near {
				return &LimitError{notBefore, err}
			}
			return &GaveUp{err}
		}
	}
}

type triesKey struct{}

// With returns the context for one of the tries, from which [ThrottledSince] and [Unanswered] know them.
func (t *Tries) With(ctx context.Context) context.Context {
	if t.began.IsZero() {
		t.began = ClockOf(ctx).Now()
	}
	return context.WithValue(ctx, triesKey{}, t)
}

// Unanswered notes that the try with this context has waited for so long, and no answer came. A host that answers nothing
// would else hold a request for as many times as it is sent.
func Unanswered(ctx context.Context, d time.Duration) {
	if tries, ok := ctx.Value(triesKey{}).(*Tries); ok {
		tries.mu.Lock()
		defer tries.mu.Unlock()
		tries.silent++
		tries.waited += d
	}
}

// ThrottledSince is [Tries.ThrottledSince] for the request with this context, if [Tries.With] returned it.
func ThrottledSince(ctx context.Context, since time.Time) {
	if tries, ok := ctx.Value(triesKey{}).(*Tries); ok {
		tries.ThrottledSince(since)
	}
}

type repeatedKey struct{}

// Repeated returns the context of a request that was sent n times before.
func Repeated(ctx context.Context, n int) context.Context {
	if n == 0 {
		return ctx
	}
	return context.WithValue(ctx, repeatedKey{}, n)
}

// IsRepeated reports whether the request with this context was sent before.
func IsRepeated(ctx context.Context) bool { return Sent(ctx) > 0 }

// Sent returns how often the request with this context was sent before.
func Sent(ctx context.Context) int {
	n, _ := ctx.Value(repeatedKey{}).(int)
	return n
}
