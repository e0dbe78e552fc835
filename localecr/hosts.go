package localecr

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// A web page can make its own host name lead to 127.0.0.1 (DNS rebinding). The browser then sends the page's requests
// to a server that only this machine can reach, and lets the page read the answers. The name stays in the Host header,
// so a connection on loopback answers only to names that no page can have.

// ecrSuffixes are where the host names of Amazon ECR end, registries and APIs alike. Source: the partition table of
// aws-sdk-go-v2 and https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html.
var ecrSuffixes = []string{
	"amazonaws.com", "on.aws", "api.aws", // aws, aws-us-gov
	"amazonaws.com.cn", "on.amazonwebservices.com.cn", "api.amazonwebservices.com.cn",
	"amazonaws.eu", "on.amazonwebservices.eu", "api.amazonwebservices.eu",
	"c2s.ic.gov", "on.aws.ic.gov", "api.aws.ic.gov",
	"sc2s.sgov.gov", "on.aws.scloud", "api.aws.scloud",
	"cloud.adc-e.uk", "on.cloud-aws.adc-e.uk", "api.cloud-aws.adc-e.uk",
	"csp.hci.ic.gov", "on.aws.hci.ic.gov", "api.aws.hci.ic.gov",
}

// ecrHost is the form of ECR's host names before their suffix: a registry, or the API.
var ecrHost = lazyregexp.New(`^(?:[0-9]{12}\.dkr[.-]ecr|(?:api\.)?ecr)(?:-fips)?\.[a-z]+(?:-[a-z]+)+-[0-9]{1,2}\.`)

// answersTo reports whether the server answers to the name in the request's Host header. On a connection from a
// network it answers to any, since the names of this machine there are not known.
func (s *Server) answersTo(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || !isLoopback(local) {
		return true
	}
	host := hostName(r.Host)
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true // an address is nobody's to redirect
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(s.hostNames, host) {
		return true
	}
	return slices.Contains(ecrSuffixes, host[len(ecrHost.FindString(host)):])
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// hostName returns the name of a host as it is compared: without port and final dot, in lower case. A host that is not
// well-formed is returned as it is.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// misdirected refuses a request to a name that the server does not answer to.
func misdirected(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "This local ECR listens on a loopback address and does not answer to the host name of the request: "+
		"use localhost, an IP address, a name below .localhost or a name of Amazon ECR, or add the name to the server's host names.", http.StatusMisdirectedRequest)
	if r.Header.Get("Expect") == "" {
		drain(r.Body)
	}
}
