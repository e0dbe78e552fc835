package registry

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// guard sends requests and lets credentials pass to a registry and its token
// server only, whoever has put them into the request.
type guard struct {
	next     http.RoundTripper
	registry string // its host
	allowed  string // host of the token server that the user allows, "" if none

	mu     sync.Mutex
	tokens string   // host of the token server, "" if it is not trusted
	behind *url.URL // what standIn stands for, nil if nothing
}

// standIn is the host that go-containerregistry is told for a token server that the user
// allows: it takes none at a private address, whatever the user says. Names below
// .invalid do not exist (RFC 6761, section 6.4).
const standIn = "token-server.invalid"

// TokenServerError is the error of a registry that wants its credentials at a server to
// which they do not go unless the user allows it: see [Options.TokenServer].
type TokenServerError struct {
	Registry string // host of the registry
	Server   string // host of the token server that it names
	reason   string
	private  bool // to which no request goes, whatever it carries
}

func (e *TokenServerError) Error() string {
	return fmt.Sprintf("%v: the registry wants them at %s", v2.ErrCredentials, e.reason)
}

func (e *TokenServerError) Unwrap() error { return v2.ErrCredentials }

// trust allows credentials to go to the token server that the registry names, if
// it is reached by https (or the registry is on this machine) and in the domain
// of the registry, but at no private address of its own; or if the user allows it. Anyone
// may register the neighbour of a public suffix. It returns the realm for
// go-containerregistry.
func (g *guard) trust(realm string, insecure bool) (string, error) {
	u, err := url.Parse(realm)
	if err != nil || u.Host == "" || u.User != nil {
		return "", fmt.Errorf("%w: the registry names no valid address for tokens", v2.ErrCredentials)
	}
	allowed := g.allowed != "" && strings.EqualFold(v2.WithPort(u), v2.WithPort(&url.URL{Scheme: u.Scheme, Host: g.allowed}))
	here := u.Scheme == "http" && isLoopback(u.Host)
	if u.Scheme != "https" && !here {
		return "", fmt.Errorf("%w: the registry wants them at %s://%s, which is not https", v2.ErrCredentials, u.Scheme, u.Host)
	}
	var behind *url.URL
	refused := func(private bool, reason string) error {
		return &TokenServerError{Registry: g.registry, Server: u.Host, reason: reason, private: private}
	}
	switch own := strings.EqualFold(u.Host, g.registry); {
	case allowed && !own:
		behind = u
		realm = (&url.URL{Scheme: "https", Host: standIn, Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()
	case here && !(insecure && isLoopback(g.registry)):
		return "", refused(true, "http://"+u.Host+", which is not https")
	case !own && isPrivate(u.Hostname()):
		return "", refused(true, u.Host+", a private address that is not its own")
	case !sameDomain(u.Host, g.registry):
		return "", refused(false, u.Host+", which is not in its domain")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens, g.behind = u.Host, behind
	return realm, nil
}

// isPrivate reports whether host is an address of this machine or of a private network.
func isPrivate(host string) bool {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	address = address.Unmap()
	return address.IsLoopback() || address.IsPrivate() || address.IsLinkLocalUnicast() || address.IsUnspecified()
}

// sameDomain reports whether two hosts belong to one owner: they are one, or have
// the same registrable domain. Ports of this machine are all its own.
func sameDomain(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if a == b || isLoopback(a) && isLoopback(b) {
		return true
	}
	a, b = (&url.URL{Host: a}).Hostname(), (&url.URL{Host: b}).Hostname()
	if a == b {
		return true
	}
	domainA, errA := publicsuffix.EffectiveTLDPlusOne(a)
	domainB, errB := publicsuffix.EffectiveTLDPlusOne(b)
	return errA == nil && errB == nil && domainA == domainB
}

// errRenewed asks the caller, who can read the body again, to retry.
var errRenewed = retry.As(retry.Transient, errors.New("the token was renewed"))

// RoundTrip refuses to send credentials elsewhere, also after a redirect.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	r = g.real(r)
	if err := g.check(r); err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	// Who renews a token sends the request again, whose body has been read by then: an
	// empty manifest must not be stored, and a blob is retried as a whole.
	if body, ok := r.Body.(v2.SpentBody); ok && body.Spent() {
		return nil, errRenewed
	}
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		r.Body.Close()
		fresh := *r
		fresh.Body = body
		r = &fresh
	}
	return g.next.RoundTrip(r)
}

// real returns a request to the token server behind standIn, and every other one as it is.
func (g *guard) real(r *http.Request) *http.Request {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.behind == nil || r.URL.Host != standIn {
		return r
	}
	u, moved := *r.URL, *r
	u.Scheme, u.Host = g.behind.Scheme, g.behind.Host
	moved.URL, moved.Host = &u, u.Host
	return &moved
}

// unmasked returns the error of a request for a token with the address of the token server.
func (g *guard) unmasked(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var failed *url.Error
	if g.behind != nil && errors.As(err, &failed) {
		failed.URL = g.behind.Scheme + "://" + g.behind.Host + g.behind.EscapedPath()
	}
	return err
}

func (g *guard) check(r *http.Request) error {
	host := r.URL.Host
	if r.URL.Scheme != "https" && !isLoopback(host) {
		return fmt.Errorf("%w: %s is another machine, and not reached by https", v2.ErrCredentials, host)
	}
	g.mu.Lock()
	tokens := g.tokens
	g.mu.Unlock()
	if strings.EqualFold(host, g.registry) || tokens != "" && strings.EqualFold(host, tokens) {
		return nil
	}
	// A token of the token server is sent in the body.
	if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" || r.Body != nil && r.Body != http.NoBody {
		return fmt.Errorf("%w: %s is not the registry", v2.ErrCredentials, host)
	}
	return nil
}
