// Package hostname knows which host names are those of Amazon ECR, and of this machine.
package hostname

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

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

// IsECR reports whether a name, as [Of] returns it, is that of a registry or of the API of Amazon ECR.
func IsECR(name string) bool { return ecrHost.FindString(name) != "" }

// ServesPages reports whether name, as [Of] returns it, may be that of a web page: it is no address, not localhost or a name
// below it, and not one of Amazon ECR.
func ServesPages(name string) bool {
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return false // an address is nobody's to redirect
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return false
	}
	return !slices.Contains(ecrSuffixes, name[len(ecrHost.FindString(name)):])
}

// IsLoopback reports whether a is an address of this machine alone.
func IsLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// Reachable is an address that a client on this machine can use: not that of all interfaces.
func Reachable(a net.Addr) string {
	if host, port, err := net.SplitHostPort(a.String()); err == nil && Unspecified(host) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return a.String()
}

// Unspecified reports whether host is the address of all interfaces.
func Unspecified(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsUnspecified()
}

// OnAllInterfaces reports whether a is an address of all interfaces. Then clients reach the server by names and ports
// that it does not know: those of a container, and published ports.
func OnAllInterfaces(a net.Addr) bool {
	if a == nil {
		return false
	}
	host, _, err := net.SplitHostPort(a.String())
	return err == nil && Unspecified(host)
}

// Of returns the name of a host as it is compared: without port and final dot, in lower case. A host that is not
// well-formed is returned as it is.
func Of(host string) string {
	if name, port, err := net.SplitHostPort(host); err == nil && strings.Trim(port, "0123456789") == "" {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
