package localecr

import (
	"net"
	"testing"
)

func TestDownloadHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bound        net.Addr
		called, want string
	}{
		{nil, "ecr.test:80", "ecr.test:80"}, // a handler
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5}, "127.0.0.1:80", "localhost:5"},
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5}, "ecr.test:80", "192.0.2.1:5"},
		{&net.TCPAddr{IP: net.IPv4zero, Port: 5}, "127.0.0.1:80", "localhost:5"},
		{&net.TCPAddr{IP: net.IPv4zero, Port: 5}, "ecr.test:80", "ecr.test:5"},
		{&net.TCPAddr{IP: net.IPv6unspecified, Port: 5}, "ecr.test", "ecr.test:5"},
	} {
		if got := (&Server{downloads: c.bound}).downloadHost(c.called); got != c.want {
			t.Errorf("bound to %v, called as %s: %s, want %s", c.bound, c.called, got, c.want)
		}
	}
}
