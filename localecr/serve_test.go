package localecr

import (
	"net"
	"testing"
)

func TestDownloadHost(t *testing.T) {
	t.Parallel()
	wildcard := &net.TCPAddr{IP: net.IPv4zero, Port: 5}
	for _, c := range []struct {
		bound        net.Addr
		downloadAddr string
		called, want string
	}{
		{nil, "", "ecr.test:80", "ecr.test:80"}, // a handler
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5}, "", "127.0.0.1:80", "localhost:5"},
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5}, "", "localhost:80", "127.0.0.1:5"},
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5}, "", "ecr.test:80", "192.0.2.1:5"},
		{wildcard, "", "127.0.0.1:80", "localhost:5"},
		{wildcard, "", "localhost:80", "127.0.0.1:5"},
		{wildcard, "", "ecr.test:80", "ecr.test:5"},
		{&net.TCPAddr{IP: net.IPv6unspecified, Port: 5}, "", "ecr.test", "ecr.test:5"},
		{wildcard, SamePort, "127.0.0.1:32768", "localhost:32768"}, // a published port
		{wildcard, SamePort, "localhost:32768", "127.0.0.1:32768"},
		{wildcard, SamePort, "ecr.test:32768", "ecr.test:32768"},
		{wildcard, SamePort, "ecr.test", "ecr.test:5"},
	} {
		if got := (&Server{downloads: c.bound, downloadAddr: c.downloadAddr}).downloadHost(c.called); got != c.want {
			t.Errorf("bound to %v, downloads on %q, called as %s: %s, want %s", c.bound, c.downloadAddr, c.called, got, c.want)
		}
	}
}

func TestRegistryHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bound           net.IP
		called, account string
		want            string
	}{
		{net.IPv4(127, 0, 0, 1), "localhost:4510", "1", "127.0.0.1:4510"},
		{net.IPv4(127, 0, 0, 1), "localhost:4510", "2", "2.dkr.ecr.us-east-1.localhost:4510"},
		{net.IPv4zero, "localhost:32768", "1", "localhost:32768"},
		{net.IPv4zero, "ecr:4510", "1", "ecr:4510"},
		{net.IPv4zero, "ecr", "1", "ecr"},
		{net.IPv4zero, "ecr:32768", "2", "2.dkr.ecr.us-east-1.localhost:32768"},
		{net.IPv4zero, "222222222222.dkr.ecr.us-east-1.localhost:32768", "1", "127.0.0.1:32768"},
		{net.IPv4zero, "api.ecr.us-east-1.amazonaws.com", "1", "127.0.0.1:4510"},
		{net.IPv4zero, "", "1", "127.0.0.1:4510"},
	} {
		s := &Server{Registry: "127.0.0.1:4510", account: "1", bound: &net.TCPAddr{IP: c.bound, Port: 4510}}
		if got := s.registryHost(c.called, c.account, DefaultRegion); got != c.want {
			t.Errorf("on %v, called as %q: registry of %s is %s, want %s", c.bound, c.called, c.account, got, c.want)
		}
	}
}
