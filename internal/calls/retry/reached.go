package retry

import (
	"context"
	"net"
	"sync"
	"time"
)

// reached are the addresses to which a connection was made. Requests with its context to any other address are not
// retried for long, since somebody waits.
type reached struct {
	addresses sync.Map
	waiting   func(address string, most time.Duration)
}

type reachedKey struct{}

// WithReached returns a context for a program that somebody waits for. A host to which no connection was ever made
// may be mistyped, or this machine has no network: requests to it are [Unreachable], see [Policy.Unreachable]. One
// that was reached before is retried as any other. waiting is called if a first connection takes longer than two
// seconds, with the time that it takes at most; it may be nil.
func WithReached(ctx context.Context, waiting func(address string, most time.Duration)) context.Context {
	return context.WithValue(ctx, reachedKey{}, &reached{waiting: waiting})
}

const (
	firstConnection = 10 * time.Second // how long the first one to an address may take, with its name's look-up
	silence         = 2 * time.Second  // after which a user is told what is waited for
)

// Dialer makes connections, as [net.Dialer.DialContext] does.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Dial makes a connection, and notes in a context of [WithReached] that its address was reached. Where none was made
// to the address before, a transient error becomes [Unreachable], and one after which a user has waited for long
// becomes [Final].
func (next Dialer) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	r, _ := ctx.Value(reachedKey{}).(*reached)
	if r == nil {
		return next(ctx, network, address)
	}
	if _, before := r.addresses.Load(address); before {
		return next(ctx, network, address)
	}
	first, cancel := context.WithTimeout(ctx, firstConnection)
	defer cancel()
	if r.waiting != nil {
		timer := time.AfterFunc(silence, func() { r.waiting(address, firstConnection-silence) })
		defer timer.Stop()
	}
	began := time.Now()
	conn, err := next(first, network, address)
	if err == nil {
		r.addresses.Store(address, true)
		return conn, nil
	}
	if v, _ := Judge(ctx, err); v != Transient {
		return nil, err
	}
	if time.Since(began) > silence {
		return nil, As(Final, err)
	}
	return nil, As(Unreachable, err)
}
