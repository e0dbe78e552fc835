// Package registryname has the one spelling of a registry's host and of a repository's
// name. What a policy is asked about and where a request is sent are made here, so that
// another spelling of a name is not another repository.
//
// Names are compared, not machines: a CNAME and an address of the same registry are
// other names.
package registryname

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/loopback"
)

// DockerHub is the canonical host of Docker Hub.
const DockerHub = "docker.io"

// hubHosts are the hosts that answer for Docker Hub, the canonical one first:
// https://pkg.go.dev/github.com/distribution/reference and
// https://docs.docker.com/docker-hub/ (allow list of hosts).
var hubHosts = []string{DockerHub, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}

// hubNamespace is where Docker Hub has the repositories that are named without one.
const hubNamespace = "library/"

// httpsPort is the port that a host without one has.
const httpsPort = "443"

var (
	hostName = lazyregexp.New(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$`)
	// A number as the last label is an IPv4 address in one of many spellings, which
	// resolvers read and [netip.ParseAddr] does not: 127.1, 0x7f.1, 2130706433.
	numberName = lazyregexp.New(`^(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)$`)
)

// Host returns the canonical spelling of host[:port]: in lower case, without a final
// dot, an address in its shortest form, the port without leading zeros, and none if it
// is 443, except for this machine, where plain HTTP has port 80, and for a name without
// a dot, which is no host in a reference without its port. Every host of Docker Hub is [DockerHub].
func Host(host string) (string, error) {
	name, port, err := split(host)
	if err != nil {
		return "", err
	}
	switch {
	case slices.Contains(hubHosts, name) && (port == "" || port == httpsPort):
		return DockerHub, nil
	case port == "" || port == httpsPort && !loopback.Is(name) && strings.ContainsAny(name, ".:"):
		return name, nil
	}
	return name + ":" + port, nil
}

// split returns the canonical name and the port of a host.
func split(host string) (name, port string, err error) {
	for _, c := range []byte(host) {
		// Before lower-casing: the Kelvin sign is "k" then.
		if c <= ' ' || c >= 0x7f {
			return "", "", errors.New("a host name has ASCII letters, digits, dots and hyphens only")
		}
	}
	name = strings.ToLower(host)
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, ']') {
		number, err := strconv.ParseUint(name[i+1:], 10, 16)
		if err != nil || number == 0 || len(name)-i > 6 {
			return "", "", fmt.Errorf("%q is not a port", name[i+1:])
		}
		name, port = name[:i], strconv.FormatUint(number, 10)
	}
	if bare, ok := strings.CutPrefix(name, "["); ok {
		address, err := netip.ParseAddr(strings.TrimSuffix(bare, "]"))
		if err != nil || !strings.HasSuffix(bare, "]") || !address.Is6() || address.Zone() != "" {
			return "", "", fmt.Errorf("%q is not an address", name)
		}
		if address = address.Unmap(); address.Is4() {
			return address.String(), port, nil
		}
		return "[" + address.String() + "]", port, nil
	}
	name = strings.TrimSuffix(name, ".")
	switch _, err := netip.ParseAddr(name); {
	case !hostName.MatchString(name):
		return "", "", errors.New("it is no host name")
	case err != nil && numberName.MatchString(name):
		return "", "", errors.New("it ends in a number and is no address; write all four numbers of an address in decimal")
	}
	return name, port, nil
}

// Repository returns the canonical name of a repository at a canonical host: on Docker
// Hub "alpine" is "library/alpine".
func Repository(host, name string) string {
	if host == DockerHub && name != "" && !strings.Contains(name, "/") {
		return hubNamespace + name
	}
	return name
}

// Spellings returns the names, HOST/REPOSITORY, that people may have written for a
// repository at a canonical host, the canonical one first.
func Spellings(host, repository string) []string {
	hosts := []string{host}
	switch name, port, _ := split(host); {
	case host == DockerHub:
		hosts = nil
		for _, hub := range hubHosts {
			hosts = append(hosts, hub, hub+":"+httpsPort)
		}
	case port == "" && loopback.Is(name):
		hosts = append(hosts, name+":80", name+":"+httpsPort)
	case port == "":
		hosts = append(hosts, name+":"+httpsPort)
	case loopback.Is(name) && (port == "80" || port == httpsPort):
		hosts = append(hosts, name)
	}
	repositories := []string{repository}
	if short, ok := strings.CutPrefix(repository, hubNamespace); ok && host == DockerHub && !strings.Contains(short, "/") {
		repositories = append(repositories, short)
	}
	var all []string
	for _, h := range hosts {
		for _, r := range repositories {
			all = append(all, h+"/"+r)
		}
	}
	return all
}
