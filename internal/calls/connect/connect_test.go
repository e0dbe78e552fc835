package connect

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestAddresses connects to a host with several addresses of which some are silent, refuse, or have no route. The
// clock is that of the test: one address that is silent costs a quarter of a second, not the whole of it.
func TestAddresses(t *testing.T) {
	t.Parallel()
	const silent, refuses, answers = "silent", "refuses", "answers"
	for name, tt := range map[string]struct {
		addresses []string // as the resolver returns them
		are       []string
		want      string // the address of the connection; "" is an error
		within    time.Duration
	}{
		"one":                      {addresses: []string{"10.0.0.1"}, are: []string{answers}, want: "10.0.0.1:443"},
		"the first is silent":      {[]string{"10.0.0.1", "10.0.0.2"}, []string{silent, answers}, "10.0.0.2:443", 250 * time.Millisecond},
		"the first refuses":        {[]string{"10.0.0.1", "10.0.0.2"}, []string{refuses, answers}, "10.0.0.2:443", 0},
		"IPv6 is silent":           {[]string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "10.0.0.1"}, []string{silent, silent, silent, answers}, "10.0.0.1:443", 250 * time.Millisecond},
		"three of four are silent": {[]string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"}, []string{silent, silent, silent, answers}, "10.0.0.4:443", 750 * time.Millisecond},
		"all refuse":               {[]string{"10.0.0.1", "10.0.0.2"}, []string{refuses, refuses}, "", 0},
		"all are silent":           {[]string{"10.0.0.1", "10.0.0.2"}, []string{silent, silent}, "", 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := Dialer{
					Lookup: func(context.Context, string, string) (all []netip.Addr, _ error) {
						for _, a := range tt.addresses {
							all = append(all, netip.MustParseAddr(a))
						}
						return all, nil
					},
					Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
						host, _, _ := net.SplitHostPort(address)
						switch tt.are[slices.Index(tt.addresses, host)] {
						case silent:
							<-ctx.Done()
							return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
						case refuses:
							return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
						}
						return named{address: address}, nil
					},
				}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				began := time.Now()
				conn, err := d.DialContext(ctx, "tcp", "registry.example:443")
				var op *net.OpError
				switch {
				case tt.want == "" && !errors.As(err, &op):
					t.Errorf("%v, %v", conn, err)
				case tt.want != "" && (err != nil || conn.(named).address != tt.want):
					t.Errorf("%v, %v", conn, err)
				}
				if took := time.Since(began); took > tt.within {
					t.Errorf("it took %s, want at most %s", took, tt.within)
				}
			})
		})
	}
}

// named is a connection that is not used.
type named struct {
	net.Conn
	address string
}

func (named) Close() error { return nil }

// TestSilentNameServer: who waits for a connection does not wait long for a name server that is gone.
func TestSilentNameServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := Dialer{Lookup: func(ctx context.Context, _, host string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, &net.DNSError{Err: "i/o timeout", Name: host, IsTimeout: true}
		}}.DialContext(t.Context(), "tcp", "registry.example:443")
		var dns *net.DNSError
		if took := time.Since(began); !errors.As(err, &dns) || took != longestLookup {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

// TestNoAddress: errors of names are those of a dialer, which say what to do.
func TestNoAddress(t *testing.T) {
	t.Parallel()
	for name, lookup := range map[string]func(context.Context, string, string) ([]netip.Addr, error){
		"error": func(context.Context, string, string) ([]netip.Addr, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "registry.example", IsNotFound: true}
		},
		"none": func(context.Context, string, string) ([]netip.Addr, error) { return nil, nil },
	} {
		_, err := Dialer{Lookup: lookup}.DialContext(t.Context(), "tcp", "registry.example:443")
		var op *net.OpError
		var dns *net.DNSError
		if !errors.As(err, &op) || !errors.As(err, &dns) || !dns.IsNotFound || !strings.Contains(err.Error(), "dial tcp: lookup registry.example") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
