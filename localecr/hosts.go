package localecr

import (
	"net"
	"net/http"
	"slices"

	"github.com/ecrkit/ecrkit/localecr/internal/hostname"
)

// A web page can make its own host name lead to 127.0.0.1 (DNS rebinding). The browser then sends the page's requests
// to a server that only this machine can reach, and lets the page read the answers. The name stays in the Host header,
// so a connection on loopback answers only to names that no page can have.

// answersTo reports whether the server answers to the name in the request's Host header. On a connection from a
// network it answers to any, since the names of this machine there are not known.
func (s *Server) answersTo(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || !hostname.IsLoopback(local) {
		return true
	}
	host := hostname.Of(r.Host)
	return slices.Contains(s.hostNames, host) || !hostname.ServesPages(host)
}

// misdirected refuses a request to a name that the server does not answer to.
func misdirected(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "This local ECR listens on a loopback address and does not answer to the host name of the request: "+
		"use localhost, an IP address, a name below .localhost or a name of Amazon ECR, or add the name to the server's host names.", http.StatusMisdirectedRequest)
	if r.Header.Get("Expect") == "" {
		drain(r.Body)
	}
}
