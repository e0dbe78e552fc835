package registry

import (
	"errors"
	"fmt"
	"net/http"
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

	mu     sync.Mutex
	tokens string // host of the token server, "" if it is not trusted
}

// trust allows credentials to go to the token server that the registry names, if
// it is reached by https (or the registry is on this machine) and in the domain
// of the registry. Anyone may register the neighbour of a public suffix.
func (g *guard) trust(realm string, insecure bool) error {
	u, err := url.Parse(realm)
	if err != nil || u.Host == "" || u.User != nil {
		return fmt.Errorf("%w: the registry names no valid address for tokens", v2.ErrCredentials)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && insecure && isLoopback(g.registry) && isLoopback(u.Host)) {
		return fmt.Errorf("%w: the registry wants them at %s://%s, which is not https", v2.ErrCredentials, u.Scheme, u.Host)
	}
	if !sameDomain(u.Host, g.registry) {
		return fmt.Errorf("%w: the registry wants them at %s, which is not in its domain", v2.ErrCredentials, u.Host)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens = u.Host
	return nil
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
