package retry

import (
	"context"
	"time"
)

// Patience is how a request waits for a service that says when it takes the next one: Docker Hub, for instance, allows a number of
// pulls in six hours.
type Patience struct {
	// Throttled is for how long a throttled request is retried when the service names the time, in place of [Policy.Throttled]
	// if that is less.
	Throttled time.Duration
	// Waits, if not nil, is told that no request is sent to a host before a time. It is called by several goroutines, and for each
	// request that the host throttles.
	Waits func(host string, until time.Time)
}

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
