package localecr

import (
	"cmp"
	"fmt"
	"net"

	"github.com/ecrkit/ecrkit/localecr/internal/hostname"
)

// SamePort as Options.DownloadAddr makes a server answer to downloads on the port of everything else.
const SamePort = "same"

// hostFor is the host, with port, of the default registry for a client that has called the server as called. On all
// interfaces it is the same, unless that is the name of another registry or of Amazon's API.
func (s *Server) hostFor(called string) string {
	host := cmp.Or(s.Registry, "localhost")
	if called == "" || !hostname.OnAllInterfaces(s.bound) {
		return host
	}
	if !hostname.IsECR(hostname.Of(called)) {
		return called
	}
	name, _, err := net.SplitHostPort(host)
	_, port, portErr := net.SplitHostPort(called)
	if err != nil || portErr != nil {
		return host
	}
	return net.JoinHostPort(name, port)
}

// registryHost is the host name, with port, of an account's registry in a region, for a client that has called the
// server as called.
func (s *Server) registryHost(called, account, region string) string {
	host := s.hostFor(called)
	if account == s.account && region == DefaultRegion {
		return host
	}
	name := fmt.Sprintf("%s.dkr.ecr.%s.localhost", account, region)
	if _, port, err := net.SplitHostPort(host); err == nil {
		return net.JoinHostPort(name, port)
	}
	return name
}

// downloadHost is the host, with port, of the download URLs for a client that has called the server as called. It has
// another name than the registry, as S3 has: clients drop their Authorization on a redirect to another host, and many go
// by the name alone. Of a machine that is not this one there is no other name.
func (s *Server) downloadHost(called string) string {
	if s.downloads == nil {
		return called
	}
	host, port, err := net.SplitHostPort(s.downloads.String())
	if err != nil {
		return s.downloads.String()
	}
	calledName, calledPort, err := net.SplitHostPort(called)
	if err != nil {
		calledName = called
	}
	if hostname.Unspecified(host) {
		host = calledName
		if s.downloadAddr == SamePort && calledPort != "" {
			port = calledPort
		}
	}
	switch {
	case host == "127.0.0.1" && calledName != "localhost":
		host = "localhost"
	case host == "localhost":
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// downloadsAlike reports whether downloads have the host and port of the registry for a client that has called the server
// as called. Such a client cannot see that a redirect leads to what stands for S3, and rightly keeps its Authorization.
func (s *Server) downloadsAlike(called string) bool {
	return s.bound != nil && s.downloadAddr == SamePort && s.downloadHost(called) == called
}
