package calls

import (
	"context"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/pace"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// Limits keep the calls of this process within what a service allows, each
// operation for itself: they start at a known rate, go slower when the service
// throttles calls, and faster again when it does not. Whatever has one quota shares
// one Limits. The zero value is ready for use, and no limit until the service
// throttles; a Limits must not be copied after first use.
type Limits struct {
	// Rates are the calls per second to start with, by operation; one that is not
	// named starts at a rate that is hardly a limit.
	Rates map[string]float64
	// Charged names the operation whose quota another one counts for.
	Charged map[string]string
	// Clock is the time by which calls are paced; nil is that of this machine.
	Clock retry.Clock

	mu      sync.Mutex
	buckets map[string]*pace.Bucket
}

// otherQuota is for operations without a known one: hardly a limit until the
// service says so.
const otherQuota = 1000

// Expect says how many calls of each operation are going to be made, see [pace.Bucket.Expect].
func (l *Limits) Expect(calls map[string]int) {
	sum := map[string]int{} // by the operation whose quota counts
	for op, n := range calls {
		if same, ok := l.Charged[op]; ok {
			op = same
		}
		sum[op] += n
	}
	for op, n := range sum {
		l.bucket(op).Expect(n)
	}
}

// wait waits until a call of the operation may be made, and returns its time.
func (l *Limits) wait(ctx context.Context, op string) (time.Time, error) {
	return l.bucket(op).Wait(ctx)
}

// done reports what became of the call of that time, and until when no other one is wanted; the zero time
// if that was not said. It returns since when all calls of the operation have been throttled.
func (l *Limits) done(op string, sent time.Time, o pace.Outcome, retryAfter time.Time) (throttledSince time.Time) {
	b := l.bucket(op)
	b.Done(sent, o, retryAfter)
	return b.ThrottledSince()
}

func (l *Limits) bucket(op string) *pace.Bucket {
	if same, ok := l.Charged[op]; ok {
		op = same
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[op]
	if b == nil {
		rate, known := l.Rates[op]
		if !known {
			rate = otherQuota
		}
		b = pace.NewBucket(l.clock(), rate)
		if l.buckets == nil {
			l.buckets = map[string]*pace.Bucket{}
		}
		l.buckets[op] = b
	}
	return b
}

func (l *Limits) clock() retry.Clock {
	if l.Clock == nil {
		return retry.System{}
	}
	return l.Clock
}
