package calls

import (
	"crypto/tls"
	"net/http"

	"github.com/ecrkit/ecrkit/internal/calls/connect"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/loopback"
)

// NewTransport returns a copy of [http.DefaultTransport] with [Connect].
func NewTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	Connect(t)
	return t
}

// Connect is [Keep] for a transport that makes its connections by [connect.Dialer].
func Connect(t *http.Transport) {
	t.DialContext = connect.Dialer{}.DialContext
	Keep(t)
}

// Keep is [loopback.Keep], and has the transport make its connections as [retry.Dialer] does.
func Keep(t *http.Transport) {
	loopback.Keep(t)
	t.DialContext = retry.Dialer(t.DialContext).Dial
}

// MaxIdleConnections is how many connections wait for the next range or part.
const MaxIdleConnections = 64

// NoHTTP2 keeps a transport at HTTP/1.1.
func NoHTTP2() map[string]func(string, *tls.Conn) http.RoundTripper {
	return map[string]func(string, *tls.Conn) http.RoundTripper{}
}
