package localecr

import (
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/internal/strictyaml"
)

// Upstreams are the registries that pull-through cache rules read from. A rule may name the upstream registries that Amazon
// ECR supports, registries of this server by their host names, those on this machine, and the Hosts.
type Upstreams struct {
	// Hosts are the URLs at which upstream registries are reached, by the host name that a rule has: registry-1.docker.io at
	// http://127.0.0.1:5000. Others are reached by their names.
	Hosts map[string]string `yaml:"hosts"`
	// Secrets are those of AWS Secrets Manager that a rule may name, by their ARNs.
	Secrets map[string]UpstreamSecret `yaml:"secrets"`
	// Transport makes the requests; default one that uses no proxy for this machine.
	Transport http.RoundTripper `yaml:"-"`
}

// An UpstreamSecret has the credentials for an upstream registry, as a secret in AWS Secrets Manager has them.
type UpstreamSecret struct {
	Username    string `yaml:"username"`
	AccessToken string `yaml:"accessToken"`
}

func (s *Server) upstreams() Upstreams { return *s.upstreamsNow.Load() }

// SetUpstreams replaces the registries that pull-through cache rules read from while the server runs.
func (s *Server) SetUpstreams(u Upstreams) error {
	if err := u.check(); err != nil {
		return err
	}
	s.upstreamsNow.Store(&u)
	return nil
}

// ReadUpstreams reads upstreams from YAML or JSON. Unknown keys are errors.
func ReadUpstreams(r io.Reader) (Upstreams, error) {
	var u Upstreams
	if err := strictyaml.Decode(r, &u); err != nil {
		return Upstreams{}, fmt.Errorf("upstreams: %w", err)
	}
	return u, u.check()
}

func (u Upstreams) check() error {
	for host, to := range u.Hosts {
		at, err := url.Parse(to)
		if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" || at.Path != "" && at.Path != "/" || at.User != nil {
			return fmt.Errorf("upstreams: host %s: it must be the URL of a registry without a path, such as http://127.0.0.1:5000", host)
		}
	}
	for arn, secret := range u.Secrets {
		if secret.Username == "" || secret.AccessToken == "" {
			return fmt.Errorf("upstreams: secret %s: it needs username and accessToken", arn)
		}
	}
	return nil
}

// isUpstream reports whether a rule may name a host that is not one of the upstream registries of Amazon ECR.
func (s *Server) isUpstream(host string) bool {
	if s.upstreams().Hosts[host] != "" {
		return true
	}
	return loopback.Is(host)
}

func (s *Server) hasSecret(arn string) bool {
	_, ok := s.upstreams().Secrets[arn]
	return ok
}

// transport returns what makes the requests: it reaches the Hosts and the registries of this server at their addresses.
func (u Upstreams) transport(s *Server) http.RoundTripper {
	next := u.Transport
	if next == nil {
		next = s.direct
	}
	return rerouted{s, next}
}

type rerouted struct {
	server *Server
	next   http.RoundTripper
}

func (r rerouted) RoundTrip(req *http.Request) (*http.Response, error) {
	host := req.URL.Host
	if to := r.server.upstreams().Hosts[host]; to != "" {
		at, err := url.Parse(to)
		if err != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
		req.URL.Scheme, req.URL.Host, req.Host = at.Scheme, at.Host, at.Host
	} else if _, ours := r.server.ownRegistry(host); ours {
		req = req.Clone(req.Context())
		req.URL.Scheme, req.URL.Host, req.Host = "http", r.server.Registry, host
	}
	return r.next.RoundTrip(req)
}
