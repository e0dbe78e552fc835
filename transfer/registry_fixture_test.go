package transfer

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/ecrkit/ecrkit/auth"
)

// neutralRegistry is a registry by code that is not ours.
type neutralRegistry struct {
	t    *testing.T
	host string

	mu       sync.Mutex
	requests []string // METHOD /path, without the pings
	// before may answer a request itself, and then gives true.
	before func(w http.ResponseWriter, r *http.Request) bool
}

func newNeutralRegistry(t *testing.T, options ...registry.Option) *neutralRegistry {
	t.Helper()
	n := &neutralRegistry{t: t}
	handler := registry.New(append(options, registry.Logger(log.New(io.Discard, "", 0)))...)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		if r.URL.Path != "/v2/" {
			n.requests = append(n.requests, r.Method+" "+r.URL.Path)
		}
		before := n.before
		n.mu.Unlock()
		if before == nil || !before(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // https is tried too
	server.Start()
	t.Cleanup(server.Close)
	n.host = strings.TrimPrefix(server.URL, "http://")
	return n
}

// count gives how many requests began so, and forgets all.
func (n *neutralRegistry) count(prefix string) (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.requests {
		if strings.HasPrefix(r, prefix) {
			count++
		}
	}
	n.requests = nil
	return count
}

func (n *neutralRegistry) intercept(before func(w http.ResponseWriter, r *http.Request) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.before = before
}

func (n *neutralRegistry) repository(name string) *Registry {
	n.t.Helper()
	return openTestRegistry(n.t, n.host, name, nil)
}

func openTestRegistry(t *testing.T, host, name string, credentials authn.Keychain) *Registry {
	t.Helper()
	transport := NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	r, err := NewRegistry(host, name, credentials, transport)
	check(t, err)
	return r
}

// user is a keychain with one password for all.
type user struct{ name, password string }

func (u user) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: u.name, Password: u.password}, nil
}

// v2Registry is a repository of the local ECR by its /v2/ alone.
func (w *world) v2Registry(name string) *Registry {
	w.t.Helper()
	token, err := w.v2Transport().Tokens.Token(w.t.Context(), w.registry)
	check(w.t, err)
	return openTestRegistry(w.t, w.registry.Host, name, user{auth.Username, token.Secret})
}
