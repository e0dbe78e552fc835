package retry

import (
	"context"
	"fmt"
	"time"
)

// Patience is how a request waits for a service that says when it takes the next one: Docker Hub, for instance, allows a number of
// pulls in six hours.
type Patience struct {
	// Throttled is for how long a throttled request is retried when the service names the time, in place of [Policy.Throttled]
	// if that is less.
	Throttled time.Duration
	// Strict makes Throttled the bound also where the policy allows more: a request that would have to wait longer fails at once,
	// with a [*LimitError]. That is about times further ahead than a few seconds: those that are nearer are to spread requests, and
	// are waited for as the policy says.
	Strict bool
	// Waits, if not nil, is told that no request is sent to a host before a time. It is called by several goroutines, and for each
	// request that the host throttles.
	Waits func(host string, until time.Time)
}

// near is how far ahead a time may be that does not say that a limit is used up.
const near = 5 * time.Second

// bounds reports whether Throttled is the bound for a time so far ahead, whatever the policy says.
func (p Patience) bounds(wait time.Duration) bool { return p.Strict && wait > near }

// most is for how long a request is retried for which the service has named a time so far ahead; usual is what the policy says.
func (p Patience) most(wait, usual time.Duration) time.Duration {
	if p.bounds(wait) {
		return p.Throttled
	}
	return max(usual, p.Throttled)
}

// Allows reports whether a request may wait until a time so far ahead that the service has named; usual is what the policy says.
func (p Patience) Allows(wait, usual time.Duration) bool { return wait <= p.most(wait, usual) }

// LimitError reports that the limit of a service is used up until a time that is too far ahead to wait for, see [Patience].
type LimitError struct {
	Until time.Time
	Err   error // what the service has answered; nil if it was not asked
}

func (e *LimitError) Error() string {
	text := "its limit is used up: it wants no other request of this kind before " + e.Until.UTC().Format(time.RFC3339)
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", text, e.Err)
	}
	return text
}

func (e *LimitError) Unwrap() error { return e.Err }

// Permanent makes the error final for [Judge].
func (e *LimitError) Permanent() bool { return true }

type patienceKey struct{}

// WithPatience returns a context whose requests wait so long.
func WithPatience(ctx context.Context, p Patience) context.Context {
	return context.WithValue(ctx, patienceKey{}, p)
}

// PatienceOf returns the patience of a context. Without one it is that of the policy.
func PatienceOf(ctx context.Context) Patience {
	p, _ := ctx.Value(patienceKey{}).(Patience)
	return p
}
