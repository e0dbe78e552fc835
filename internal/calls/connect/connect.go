// Package connect makes connections for somebody who waits: a name server that loses a query, or one of several
// addresses that does not answer, costs a part of a second and not five or thirty.
package connect

import (
	"context"
	"net"
	"net/netip"
	"time"
)

const (
	// stagger is after what time the next address is tried beside those without an answer, as RFC 8305, section 5, recommends.
	stagger = 250 * time.Millisecond
	// longest is how long a connection may take, and how often an idle one is examined: as http.DefaultTransport.
	longest = 30 * time.Second
	// longestLookup is how long the look-up of a name may take: a name server that answers none of its queries is gone.
	longestLookup = 1800 * time.Millisecond
	// maxAddresses is how many addresses of a host are tried.
	maxAddresses = 16
)

// Dialer makes connections to hosts. The zero value is ready to use.
type Dialer struct {
	// Lookup returns the addresses of a host; nil is [Names.Lookup].
	Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
	// Dial connects to an address; nil is the DialContext of a [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// DialContext makes a connection as [net.Dialer.DialContext] does. Its errors are of [net.OpError]; if no address
// answers it is that of the first.
func (d Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	lookup, dial := d.Lookup, d.Dial
	if lookup == nil {
		lookup = Names{}.Lookup
	}
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: longest}).DialContext
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return dial(ctx, network, address)
	}
	looking, looked := context.WithTimeout(ctx, longestLookup)
	addresses, err := lookup(looking, network, host)
	looked()
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if len(addresses) == 0 {
		return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
	}
	addresses = alternated(addresses)
	addresses = addresses[:min(len(addresses), maxAddresses)]
	return race(ctx, len(addresses), func(ctx context.Context, n int) (net.Conn, error) {
		return dial(ctx, network, net.JoinHostPort(addresses[n].String(), port))
	})
}

// alternated returns addresses of IPv6 and IPv4 in turn, so that a family without a route does not come first with all
// of its own.
func alternated(addresses []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for _, a := range addresses {
		if a.Is4() == addresses[0].Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	var all []netip.Addr
	for n := range max(len(first), len(second)) {
		all = append(all, first[min(n, len(first)):min(n+1, len(first))]...)
		all = append(all, second[min(n, len(second)):min(n+1, len(second))]...)
	}
	return all
}

// race returns the first connection of n; each is begun when the one before it has failed, or is silent for a
// while.
func race(ctx context.Context, n int, dial func(ctx context.Context, n int) (net.Conn, error)) (net.Conn, error) {
	type outcome struct {
		conn net.Conn
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outcomes := make(chan outcome, n)
	begun, ended := 0, 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	var failed error
	for {
		select {
		case <-timer.C:
		case o := <-outcomes:
			ended++
			if o.err == nil {
				late := begun - ended
				go func() {
					for range late {
						if o := <-outcomes; o.err == nil {
							o.conn.Close()
						}
					}
				}()
				return o.conn, nil
			}
			if failed == nil {
				failed = o.err
			}
		}
		if ended == n {
			return nil, failed
		}
		if begun < n {
			next := begun
			begun++
			go func() {
				conn, err := dial(ctx, next)
				outcomes <- outcome{conn, err}
			}()
			timer.Reset(stagger)
		}
	}
}
