package calls

import (
	"crypto/tls"
	"net/http"
)

// MaxIdleConnections is how many connections wait for the next range or part.
const MaxIdleConnections = 64

// NoHTTP2 keeps a transport at HTTP/1.1.
func NoHTTP2() map[string]func(string, *tls.Conn) http.RoundTripper {
	return map[string]func(string, *tls.Conn) http.RoundTripper{}
}
