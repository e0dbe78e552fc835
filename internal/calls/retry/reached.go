package retry

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// reached are the addresses to which a connection was made, and the hosts that have answered. Requests with its context
// to any other address are not retried for long, since somebody waits.
type reached struct {
	addresses, hosts sync.Map
	connecting       atomic.Int32 // first connections that are being made
	waiting          func(what string, most time.Duration)
}

type reachedKey struct{}

// WithReached returns a context for a program that somebody waits for. A host to which no connection was ever made
// may be mistyped, or this machine has no network: requests to it are [Unreachable], see [Policy.Unreachable]. One
// that was reached before is retried as any other. waiting is called if a first connection or a first answer takes
// longer than two seconds, with what is waited for and the time that it takes at most; it may be nil.
func WithReached(ctx context.Context, waiting func(what string, most time.Duration)) context.Context {
	return context.WithValue(ctx, reachedKey{}, &reached{waiting: waiting})
}

const (
	// firstConnection is how long the first one to an address may take, with its name's look-up: on a bad network the
	// first packets of a connection are lost, and TCP sends them again after one, three and seven seconds.
	firstConnection = 10 * time.Second
	// silence is after what time a user is told what is waited for.
	silence = 2 * time.Second
)

// Dialer makes connections, as [net.Dialer.DialContext] does.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Dial makes a connection, and notes in a context of [WithReached] that its address was reached. Where none was
// made to the address before, a transient error becomes [Unreachable], and one after which a user has waited for long
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
		timer := time.AfterFunc(silence, func() { r.waiting("a connection to "+address, firstConnection-silence) })
		defer timer.Stop()
	}
	r.connecting.Add(1)
	defer r.connecting.Add(-1)
	began := time.Now()
	conn, err := next(first, network, address)
	if err == nil {
		r.addresses.Store(address, true)
		return conn, nil
	}
	if v, _ := Judge(ctx, err); v != Transient {
		return nil, err
	}
	var name *net.DNSError
	if time.Since(began) >= silence || errors.As(err, &name) && name.IsTimeout {
		return nil, As(Final, err)
	}
	return nil, As(Unreachable, err)
}

// FirstAnswer is called before a request is sent to a host whose answer may take so long, and returns what to call when
// it is there. A user who waits for the first one is told so.
func FirstAnswer(ctx context.Context, host string, most time.Duration) (arrived func()) {
	r, _ := ctx.Value(reachedKey{}).(*reached)
	if r == nil || r.waiting == nil || most <= silence {
		return func() {}
	}
	if _, before := r.hosts.Load(host); before {
		return func() {}
	}
	ended := make(chan struct{})
	go func() {
		const soon = silence + silence/10 // the wait for a first connection is named before it
		for waited := soon; waited < most; waited += soon {
			select {
			case <-ended:
				return
			case <-time.After(soon):
			}
			if r.connecting.Load() == 0 { // the wait is not for the connection
				r.waiting("an answer from "+host, most-waited)
				return
			}
		}
	}()
	return func() {
		close(ended)
		r.hosts.Store(host, true)
	}
}
