package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/challenge"
	"github.com/ecrkit/ecrkit/internal/registryname"
	"github.com/ecrkit/ecrkit/transfer/content"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// Repository is one repository of a registry that speaks the OCI distribution API,
// as [content.Source], [content.Target] and [content.RequestCounter]:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md.
//
// Credentials go to the registry's host alone, and to the server that it names for
// tokens if that is in the same domain or [Options.TokenServer] names it; never over
// plain HTTP to another machine.
type Repository struct {
	host       string // in its canonical spelling
	repository string
	registry   name.Registry
	keychain   authn.Keychain
	guard      *guard
	plain      *http.Client // for where a blob is: no credentials
	state      v2.State
	limits     *calls.Limits
	shared     *Limits // has limits
	// referrersByTag is set when the registry was found to have no referrers API.
	referrersByTag atomic.Bool
	// referrerPause is how long after writing a list of referrers it is read again.
	referrerPause time.Duration
	// maxReferrerBytes is the size of all pages of a list of referrers that are read.
	maxReferrerBytes int
	requestLog       // of all requests to the registry

	login     chan struct{} // is held by who logs in
	challenge *transport.Challenge
	clients   map[string]*v2.Client // by what they may do
}

// requestLog keeps the embedded field from being part of the API.
type requestLog = calls.Log

var (
	_ content.Source         = (*Repository)(nil)
	_ content.Target         = (*Repository)(nil)
	_ content.TagLister      = (*Repository)(nil)
	_ content.ReferrerLister = (*Repository)(nil)
	_ content.ReferrerTagger = (*Repository)(nil)
	_ content.DigestFinder   = (*Repository)(nil)

	_ content.RequestCounter = (*Repository)(nil)

	_ content.RangeReader  = (*Repository)(nil)
	_ content.BlobUploader = (*Repository)(nil)
	_ content.ImageChecker = (*Repository)(nil)

	_ content.TagAwareReferrerLister = (*Repository)(nil)
)

// Options are how a registry is reached. The zero value is without credentials.
type Options struct {
	// Keychain has the credentials. nil, and a registry that it does not know, is anonymous.
	Keychain authn.Keychain
	// Transport sends the requests; nil is [NewTransport].
	Transport http.RoundTripper
	// TokenServer is a host[:port] to which the credentials may go if the registry names it for
	// tokens: by https, or by plain HTTP if it is this machine. It need not be in the registry's
	// domain, and may have a private address. "" means none.
	TokenServer string
	// Limits are shared by the repositories of a registry; nil is limits of this repository's own.
	Limits *Limits
}

// New returns a repository of the registry at host, both in their canonical
// spelling: docker.io/library/alpine for index.docker.io/alpine. No request is made.
func New(host, repository string, o Options) (*Repository, error) {
	canonical, err := registryname.Host(host)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", host, err)
	}
	host = canonical
	registry, err := name.NewRegistry(host, name.WeakValidation)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", host, err)
	}
	if repository != "" {
		repository = registryname.Repository(host, repository)
		if _, err := name.NewRepository(host+"/"+repository, name.WeakValidation); err != nil {
			return nil, fmt.Errorf("%s/%s: %w", host, repository, err)
		}
	}
	keychain := o.Keychain
	if keychain == nil {
		keychain = authn.NewMultiKeychain()
	}
	limits := o.Limits
	if limits == nil {
		limits = NewLimits()
	}
	base := watched(o.Transport)
	r := &Repository{
		host: host, repository: repository, registry: registry, keychain: keychain, referrerPause: retry.SettlePause, maxReferrerBytes: v2.MaxListBytes,
		plain: &http.Client{Transport: base, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		login: make(chan struct{}, 1), clients: map[string]*v2.Client{},
	}
	r.limits, r.shared = &limits.calls, limits
	r.guard = &guard{registry: registry.RegistryStr(), allowed: o.TokenServer}
	r.guard.next = challenge.Transport(calls.Caller{Limits: r.limits, Log: &r.requestLog}.Transport(base, v2.Operation))
	return r, nil
}

// Limits keep requests within what a registry allows, see [Options.Limits]. Its repositories also share what it said of
// credentials, so that it is asked once.
type Limits struct {
	calls calls.Limits

	mu        sync.Mutex
	pinging   chan struct{}        // is held by who asks
	challenge *transport.Challenge // nil until a repository has asked
}

// NewLimits returns limits for one registry: none until it throttles.
func NewLimits() *Limits { return new(Limits) }

// turn returns the channel pinging.
func (l *Limits) turn() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pinging == nil {
		l.pinging = make(chan struct{}, 1)
	}
	return l.pinging
}

// watched returns a transport that ends requests whose connection stands still. nil is
// [NewTransport].
func watched(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = NewTransport()
	}
	waits := retry.Default()
	waits.Answer = answerTime
	return calls.Watched(base.RoundTrip, func() retry.Policy { return waits })
}

// answerTime is how long an answer may take: a registry may hash a large blob before. The transport has no such limit of
// its own, which would begin before the rest of a request's body has gone over a slow link.
const answerTime = 5 * time.Minute

// NewTransport returns a transport with Go's defaults in which each blob on its way has a
// connection of its own: over HTTP/2 they would share one, and its speed.
func NewTransport() *http.Transport {
	t := calls.NewTransport()
	t.MaxIdleConnsPerHost = calls.MaxIdleConnections
	t.ForceAttemptHTTP2 = false
	t.TLSNextProto = calls.NoHTTP2()
	return t
}

// Registry names the registry, as its host is written.
func (r *Repository) Registry() string { return r.registry.RegistryStr() }

// Host returns the host of the registry in its canonical spelling.
func (r *Repository) Host() string { return r.host }

// String is HOST/repository.
func (r *Repository) String() string {
	if r.repository == "" {
		return r.host
	}
	return r.host + "/" + r.repository
}

// What a client may do with a repository.
const (
	actionsPull   = "pull"
	actionsPush   = "pull,push"
	actionsDelete = "pull,push,delete"
)

// client returns a client that may do these actions with the repository, and read
// the repository from, if that is not "".
func (r *Repository) client(ctx context.Context, actions, from string) (*v2.Client, error) {
	scopes := []string{"repository:" + r.repository + ":" + actions}
	if from != "" {
		scopes = append(scopes, "repository:"+from+":"+actionsPull)
	}
	return r.scoped(ctx, scopes...)
}

// reader returns a client that may read: one that may write, if there is one. To others
// some registries do not say that a repository is yet to be made by a push.
func (r *Repository) reader(ctx context.Context) (*v2.Client, error) {
	ended, err := retry.Turn(ctx, r.login)
	if err != nil {
		return nil, err
	}
	defer ended()
	c := r.clients["repository:"+r.repository+":"+actionsPush]
	<-r.login
	if c != nil {
		return c, nil
	}
	return r.client(ctx, actionsPull, "")
}

// scoped returns a client with a token for scopes.
func (r *Repository) scoped(ctx context.Context, scopes ...string) (*v2.Client, error) {
	ended, err := retry.Turn(ctx, r.login)
	if err != nil {
		return nil, err
	}
	defer ended()
	defer func() { <-r.login }()
	key := strings.Join(scopes, " ")
	if c := r.clients[key]; c != nil {
		return c, nil
	}
	if r.challenge == nil {
		if err := r.ping(ctx); err != nil {
			return nil, r.fail("registry", err)
		}
	}
	credentials, err := authn.Resolve(ctx, r.keychain, r.registry)
	if err != nil {
		return nil, fmt.Errorf("%s: credentials: %w", r.host, err)
	}
	var signed http.RoundTripper
	err = v2.Retry(calls.Document(ctx), func(ctx context.Context) (err error) {
		signed, err = r.authorize(ctx, credentials, scopes)
		return asV2Error(err)
	})
	if err != nil {
		return nil, r.fail("token", err)
	}
	c := v2.NewClient(r.scheme(), r.registry.RegistryStr(), signed)
	r.clients[key] = c
	return c, nil
}

func (r *Repository) scheme() string {
	if r.challenge.Insecure {
		return "http"
	}
	return "https"
}

// ping asks the registry how it wants its credentials, unless another repository there has.
func (r *Repository) ping(ctx context.Context) error {
	turn := r.shared.turn()
	ended, err := retry.Turn(ctx, turn)
	if err != nil {
		return err
	}
	defer ended()
	defer func() { <-turn }()
	if r.challenge = r.shared.challenge; r.challenge != nil {
		return nil
	}
	var challenge *transport.Challenge
	err = v2.Retry(calls.Document(ctx), func(ctx context.Context) (err error) {
		challenge, err = transport.Ping(ctx, r.registry, r.guard)
		return asV2Error(err)
	})
	if err != nil {
		return err
	}
	if challenge.Insecure && !isLoopback(r.registry.RegistryStr()) {
		return fmt.Errorf("%w: it redirects to plain HTTP", content.ErrProtocol)
	}
	r.challenge, r.shared.challenge = challenge, challenge
	return nil
}

// authorize makes a transport that adds the credentials, or the token that they
// are good for.
func (r *Repository) authorize(ctx context.Context, credentials authn.Authenticator, scopes []string) (http.RoundTripper, error) {
	if !strings.EqualFold(r.challenge.Scheme, "bearer") {
		return transport.FromToken(r.registry, credentials, r.guard, r.challenge, &transport.Token{})
	}
	challenge := *r.challenge
	realm, err := r.guard.trust(challenge.Parameters["realm"], challenge.Insecure)
	if err != nil {
		config, configErr := authn.Authorization(ctx, credentials)
		if configErr != nil {
			return nil, configErr
		}
		var server *TokenServerError
		if errors.As(err, &server) {
			server.Registry = r.host
		}
		if *config != (authn.AuthConfig{}) || server != nil && server.private {
			return nil, err
		}
		// Who has no credentials has none to lose.
		credentials, realm = authn.Anonymous, challenge.Parameters["realm"]
	}
	challenge.Parameters = maps.Clone(challenge.Parameters)
	challenge.Parameters["realm"] = realm
	token, err := transport.Exchange(ctx, r.registry, credentials, r.guard, scopes, &challenge)
	if err != nil {
		return nil, r.guard.unmasked(err)
	}
	if token.Token == "" {
		token.Token = token.AccessToken
	}
	return transport.FromToken(r.registry, credentials, r.guard, &challenge, token)
}

// UnauthorizedError is the error of a registry that refuses the credentials in use, or that it
// was asked without any: it answered 401 Unauthorized or 403 Forbidden.
type UnauthorizedError struct {
	Registry string // host of the registry
	refused  error
}

func (e *UnauthorizedError) Error() string { return e.refused.Error() }

func (e *UnauthorizedError) Unwrap() error { return e.refused }

// fail names the repository and the object in an error. It wraps an [UnauthorizedError] if the registry
// refused the credentials.
func (r *Repository) fail(object string, err error) error {
	var refused *v2.Error
	if errors.As(err, &refused) && refused.Unauthorized() {
		err = &UnauthorizedError{Registry: r.host, refused: err}
	}
	if object == "" {
		return fmt.Errorf("%s: %w", r, err)
	}
	return fmt.Errorf("%s: %s: %w", r, object, err)
}

// unsupported returns an error that wraps [content.ErrUnsupported] if the registry answers that it does not do
// what was asked, and any other error as it is.
func unsupported(err error, what string) error {
	var refused *v2.Error
	if errors.As(err, &refused) && !refused.Elsewhere && (refused.Status == http.StatusMethodNotAllowed || refused.Code == "UNSUPPORTED") {
		return fmt.Errorf("%w: the registry does not %s: %w", content.ErrUnsupported, what, err)
	}
	return err
}

// asV2Error makes a refusal that go-containerregistry has read one of ours, which
// shows no query and is bounded.
func asV2Error(err error) error {
	var refused *transport.Error
	if !errors.As(err, &refused) {
		return err
	}
	e := &v2.Error{Status: refused.StatusCode}
	if refused.Request != nil {
		e.Place = refused.Request.Method + " " + v2.WithoutQuery(refused.Request.URL)
	}
	if len(refused.Errors) > 0 {
		e.Code, e.Message = v2.CleanV2Error(string(refused.Errors[0].Code), refused.Errors[0].Message)
	}
	return e
}

// isLoopback reports whether host is this machine.
func isLoopback(host string) bool {
	return auth.Registry{Host: host}.Scheme() == "http"
}
