// Package loopback has the one notion of a host that is this machine. Such a host is
// spoken to by plain HTTP, so what is sent to it must not leave the machine: a
// transport of this package never uses a proxy for it and dials loopback addresses
// only, whatever a resolver says.
package loopback

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Is reports whether host, or host:port, is this machine: localhost, a name below it
// (RFC 6761, section 6.3), or a loopback address, also as an IPv4-mapped IPv6 one.
func Is(host string) bool {
	host = name(host)
	return isName(host) || isAddress(host)
}

// name returns a host without its port. What follows the colon has to be one: "127.0.0.1:x.example" is no address.
func name(host string) string {
	if name, port, err := net.SplitHostPort(host); err == nil && strings.Trim(port, "0123456789") == "" {
		return name
	}
	return host
}

func isName(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func isAddress(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok || !strings.Contains(host, ":") {
			return false
		}
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// NewTransport returns a copy of [http.DefaultTransport] with [Keep].
func NewTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	Keep(t)
	return t
}

// metadata are the addresses at which AWS answers a machine about itself, by plain HTTP:
// those of the link, and https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
// and https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html for IPv6.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("fd00:ec2::/32"),
}

// IsMetadata reports whether host, or host:port, is an address at which AWS answers this
// machine about itself: instance metadata, the credentials of a container.
func IsMetadata(host string) bool {
	address, err := netip.ParseAddr(strings.Trim(name(host), "[]"))
	if err != nil {
		return false
	}
	address = address.Unmap().WithZone("")
	return slices.ContainsFunc(metadata, func(p netip.Prefix) bool { return p.Contains(address) })
}

// Keep makes a transport keep requests to this machine on this machine, and those to
// metadata addresses on the link: a proxy would read the credentials, or answer with its
// own.
func Keep(t *http.Transport) {
	if proxy := t.Proxy; proxy != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) {
			if Is(r.URL.Host) || IsMetadata(r.URL.Host) {
				return nil, nil
			}
			return proxy(r)
		}
	}
	dial := t.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil || !isName(host) {
			return dial(ctx, network, address)
		}
		var failed error
		for _, ip := range []string{"127.0.0.1", "::1"} {
			conn, err := dial(ctx, network, net.JoinHostPort(ip, port))
			if err == nil {
				return conn, nil
			}
			failed = errors.Join(failed, err)
			if ctx.Err() != nil {
				break
			}
		}
		return nil, failed
	}
}
