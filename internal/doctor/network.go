package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/loopback"
)

// lookup is how long the name of a host may take: a name server that takes longer does not answer.
const lookup = 1800 * time.Millisecond

// target is a host that must be reached.
type target struct{ name, url string }

// reached is what came of a request to a target.
type reached struct {
	target
	err     error
	status  int
	skew    time.Duration // of the server's clock against ours; only with dated
	dated   bool
	issuer  string // of the certificate
	private bool   // all of its addresses are private, as those of a VPC endpoint
	public  bool
}

// targets returns the hosts of the subject without those of layers.
func (s *Session) targets(ctx context.Context) []target {
	var all []target
	if r := s.Subject.Registry; r.Host != "" {
		if plan, _ := s.Tokens.Minter.AWS.Plan(ctx, r); plan.Endpoint.URL != "" {
			all = append(all, target{"the ECR API", plan.Endpoint.URL})
		}
	}
	if s.Subject.Host != "" {
		all = append(all, target{"the registry", s.Subject.scheme() + "://" + s.Subject.Host + "/v2/"})
	}
	return all
}

// network makes a request to each host.
type network struct{}

// Run implements [Check].
func (network) Run(ctx context.Context, s *Session) Finding {
	targets := s.targets(ctx)
	if len(targets) == 0 {
		return skipped("no registry was named")
	}
	client := s.client(ctx)
	all := make([]reached, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() { all[i] = s.reach(ctx, client, t) })
	}
	wg.Wait()
	s.know(func(f *facts) { f.hosts = all })
	var names []string
	private, public := "", ""
	for _, r := range all {
		if r.err != nil && !isCertificate(r.err) {
			return s.unreachable(r)
		}
		names = append(names, hostOf(r.url))
		if r.private {
			private = hostOf(r.url)
		}
		if r.public {
			public = hostOf(r.url)
		}
	}
	switch {
	case private != "" && public != "":
		return warning(fmt.Sprintf("%s has private addresses, as of a VPC endpoint, and %s has public ones", private, public),
			"In a VPC without a way to the internet, make both interface endpoints, ecr.api and ecr.dkr, with private DNS names.")
	case private != "":
		return ok(strings.Join(dedupe(names), ", ") + ", by private addresses")
	}
	return ok(strings.Join(dedupe(names), ", "))
}

// reach sends one request without credentials.
func (s *Session) reach(ctx context.Context, client *http.Client, t target) reached {
	r := reached{target: t}
	u, err := url.Parse(t.url)
	if err != nil {
		r.err = err
		return r
	}
	if proxied, err := Proxies(s.Env).ProxyFunc()(u); err == nil && proxied == nil && !loopback.Is(u.Host) {
		looking, cancel := context.WithTimeout(ctx, lookup)
		addresses, err := s.LookupHost(looking, u.Hostname())
		cancel()
		if err != nil {
			r.err = err
			return r
		}
		r.private = isPrivate(addresses)
		r.public = !r.private
	}
	var began time.Time
	send := calls.Caller{Limits: &calls.Limits{}, Log: &calls.Log{}, Policy: retries()}.NewCall("GET")
	response, err := send.Send(ctx, func(ctx context.Context) (*http.Response, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url, nil)
		if err != nil {
			return nil, err
		}
		began = s.Now()
		return client.Do(request)
	})
	if err != nil {
		r.err = err
		return r
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, calls.MaxRefusal) // the answer itself does not matter
	r.status = response.StatusCode
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		// The date has no fraction of a second, and is from between sending and now.
		r.dated, r.skew = true, date.Add(500*time.Millisecond).Sub(began.Add(s.Now().Sub(began)/2))
	}
	if response.TLS != nil && len(response.TLS.PeerCertificates) > 0 {
		issuer := response.TLS.PeerCertificates[0].Issuer
		r.issuer = strings.Join(append(issuer.Organization, issuer.CommonName), ", ")
	}
	return r
}

// unreachable makes the finding of a host that does not answer.
func (s *Session) unreachable(r reached) Finding {
	host := hostOf(r.url)
	found := fmt.Sprintf("%s, %s, can't be reached: %v", r.name, host, reasonOf(r.err))
	var name *net.DNSError
	switch {
	case errors.As(r.err, &name) && name.IsNotFound:
		advice := []string{fmt.Sprintf("Check the account and the region in %s.", host)}
		if !s.Subject.isECR() {
			advice[0] = fmt.Sprintf("Check the spelling of %s.", host)
		}
		return failed(found, append(advice, "In a VPC, see that its DNS support is on and that the VPC endpoints have private DNS names.")...)
	case errors.As(r.err, &name):
		return failed(found, "Check the name server of this machine or container: compare `nslookup "+host+"` with another machine.", "A VPN can change name servers and routes: restart docker's virtual machine after it.")
	case errors.Is(r.err, syscall.ECONNREFUSED) && loopback.Is(host):
		return failed(found, "Start the server on this machine; for a local ECR: `ecrkit local`.")
	case strings.Contains(r.err.Error(), "proxyconnect"):
		return failed(fmt.Sprintf("%s, %s, can't be reached through the proxy, which does not answer: %v", r.name, host, reasonOf(r.err)), "See the check of the proxy.")
	case strings.Contains(r.err.Error(), "Proxy"):
		return failed(found, "Ask for access to "+host+" through the proxy, and set its user and password in HTTPS_PROXY if it needs them.")
	case errors.Is(r.err, http.ErrSchemeMismatch):
		return failed(found, "The server speaks plain HTTP: name one that speaks HTTPS, or http:// in the endpoint URL.")
	}
	return failed(found, "Allow HTTPS (port 443) to "+host+" in firewall and security groups, those of VPC endpoints included.",
		"A private subnet needs a NAT gateway, a proxy, or VPC endpoints for ecr.api, ecr.dkr and S3.")
}

// reasonOf is the innermost cause of a network error, without URLs.
func reasonOf(err error) string {
	var (
		name    *net.DNSError
		op      *net.OpError
		timeout net.Error
		address *url.Error
	)
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return "no such host"
	case errors.As(err, &name):
		return "the name server does not answer (" + name.Err + ")"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was cut"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.As(err, &op):
		return op.Err.Error()
	case errors.As(err, &address):
		return address.Err.Error()
	}
	return err.Error()
}

// isCertificate reports whether a connection failed for its certificate.
func isCertificate(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
	)
	return errors.As(err, &verification) || errors.As(err, &authority)
}

// isPrivate reports whether all addresses are private, as those of a VPC endpoint.
func isPrivate(addresses []string) bool {
	for _, a := range addresses {
		if ip, err := netip.ParseAddr(a); err != nil || !ip.Unmap().IsPrivate() {
			return false
		}
	}
	return len(addresses) > 0
}

func hostOf(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		return u.Host
	}
	return raw
}

func dedupe(names []string) []string {
	var once []string
	seen := map[string]bool{}
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			once = append(once, n)
		}
	}
	return once
}

// reachedRegistry reports whether the registry answered.
func (s *Session) reachedRegistry() bool {
	answered := false
	s.know(func(f *facts) {
		for _, r := range f.hosts {
			answered = answered || r.err == nil && r.name == "the registry"
		}
	})
	return answered
}
