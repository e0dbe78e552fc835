package connect

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"
)

const (
	// exchange is how long one name server has for one answer before the next one, or the same again, is asked. Go and
	// the C library wait for five seconds, which is all that somebody waits who meets a server that is gone.
	exchange = 600 * time.Millisecond
	// rounds is how often all name servers are asked; Go asks each of them twice in one.
	rounds = 3
)

// Names looks up names of hosts. The zero value asks the name servers of the system.
type Names struct {
	// Dial connects to a name server where Go asks it itself, not the system; nil is the DialContext of a [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// system is the resolver of the zero value: lookups of one name at the same time are one.
var system = Names{}.resolver()

// Lookup returns the addresses of a host for a network such as "tcp". Its errors are of [net.DNSError].
func (n Names) Lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{address.Unmap()}, nil
	}
	resolver := system
	if n.Dial != nil {
		resolver = n.resolver()
	}
	family := "ip" + strings.TrimPrefix(network, "tcp") // "ip4" for "tcp4"
	for round := 1; ; round++ {
		addresses, err := resolver.LookupNetIP(ctx, family, host)
		if err == nil {
			for i := range addresses {
				addresses[i] = addresses[i].Unmap()
			}
			return addresses, nil
		}
		var name *net.DNSError
		if ctx.Err() != nil || round == rounds || !errors.As(err, &name) || !name.IsTimeout {
			return nil, err
		}
	}
}

// LookupHost is [Names.Lookup] with the result of [net.Resolver.LookupHost].
func (n Names) LookupHost(ctx context.Context, host string) ([]string, error) {
	addresses, err := n.Lookup(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, a := range addresses {
		all = append(all, a.String())
	}
	return all, nil
}

func (n Names) resolver() *net.Resolver {
	dial := n.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return &net.Resolver{PreferGo: n.Dial != nil, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		// Go tells by the type whether an answer is one packet.
		if packets, ok := conn.(*net.UDPConn); ok {
			return hurriedPackets{packets}, nil
		}
		return hurried{conn}, nil
	}}
}

// hurried is a connection to a name server whose deadlines are at most that of one exchange.
type hurried struct{ net.Conn }

func (c hurried) SetDeadline(t time.Time) error { return c.Conn.SetDeadline(soon(t)) }

// hurriedPackets is hurried for packets.
type hurriedPackets struct{ *net.UDPConn }

func (c hurriedPackets) SetDeadline(t time.Time) error { return c.UDPConn.SetDeadline(soon(t)) }

func soon(t time.Time) time.Time {
	if most := time.Now().Add(exchange); t.IsZero() || t.After(most) {
		return most
	}
	return t
}
