package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
)

// internet answers for every host, by https and by http, and notes which hosts were
// shown a secret.
type internet struct {
	mu     sync.Mutex
	leaks  map[string]bool // by SCHEME://HOST
	asked  map[string]int
	answer func(w http.ResponseWriter, r *http.Request)
}

func newInternet(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) (*internet, http.RoundTripper) {
	t.Helper()
	in := &internet{leaks: map[string]bool{}, asked: map[string]int{}, answer: answer}
	listen := func(scheme string) *httptest.Server {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			in.mu.Lock()
			in.asked[scheme+"://"+r.Host]++
			if r.Header.Get("Authorization") != "" || strings.Contains(string(body), "secret") {
				in.leaks[scheme+"://"+r.Host] = true
			}
			in.mu.Unlock()
			in.answer(w, r)
		}))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		return s
	}
	secure, plain := listen("https"), listen("http")
	secure.StartTLS()
	plain.Start()
	t.Cleanup(secure.Close)
	t.Cleanup(plain.Close)
	dial := func(to *httptest.Server) func(ctx context.Context, network, addr string) (net.Conn, error) {
		return func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, to.Listener.Addr().String())
		}
	}
	transport := &http.Transport{DialContext: dial(plain), DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(secure)(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true}), nil // what its names are plays no part here
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return in, transport
}

// token is a keychain with a token for OAuth.
type token struct{}

func (token) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig{IdentityToken: "secret-token"}), nil
}

func TestRegistryRealm(t *testing.T) {
	tests := []struct {
		registry, realm string
		ok              bool
		want            string // in the error
		allowed         string // token server
	}{
		{"registry.example.com", "https://registry.example.com/token", true, "", ""},
		{"registry.example.com", "https://auth.example.com/token", true, "", ""},
		{"docker.io", "https://auth.docker.io/token", true, "", ""},
		{"registry.example.co.uk", "https://auth.example.co.uk/token", true, "", ""},
		{"registry.example.com", "https://evil.test/token", false, "not in its domain", ""},
		{"registry.example.com", "https://registry.example.com.evil.test/token", false, "not in its domain", ""},
		{"registry.example.com", "https://registry.example.com@evil.test/token", false, "no valid address", ""},
		{"registry.example.com", "http://auth.example.com/token", false, "not https", ""},
		{"registry.example.com", "http://registry.example.com/token", false, "not https", ""},
		{"registry.example.com", "http://127.0.0.1/token", false, "not https", ""},
		{"registry.example.co.uk", "https://evil.co.uk/token", false, "not in its domain", ""},
		{"a.github.io", "https://b.github.io/token", false, "not in its domain", ""},
		{"10.0.0.1", "https://10.0.0.2/token", false, "private address", ""},
		{"registry.example.com", "", false, "no valid address", ""},
		{"registry.example.com", "ftp://registry.example.com/", false, "not https", ""},
		// On another port, or in the network of a self-hosted registry.
		{"10.0.0.1:5000", "https://10.0.0.1:5001/token", false, "private address", ""},
		{"10.0.0.1:5000", "https://10.0.0.1:5001/token?x=y", true, "", "10.0.0.1:5001"},
		{"10.0.0.1", "https://10.0.0.2/token", true, "", "10.0.0.2:443"},
		{"10.0.0.1:5000", "https://10.0.0.1:5001/token", false, "private address", "10.0.0.1:5002"},
		{"10.0.0.1:5000", "http://10.0.0.1:5001/token", false, "not https", "10.0.0.1:5001"},
		{"harbor.internal", "https://auth.internal:8443/token", false, "not in its domain", ""},
		{"harbor.internal", "https://auth.internal:8443/token", true, "", "AUTH.internal:8443"},
		{"harbor.internal", "https://[fd00::1]/token", true, "", "[fd00::1]"},
		{"harbor.internal", "https://[fd00::1]/token", false, "private address", "auth.internal"},
		{"harbor.internal", "https://harbor.internal/token", true, "", "harbor.internal"},
		{"harbor.internal", "https://token-server.invalid/token", false, "not in its domain", "auth.internal"},
	}
	for _, tt := range tests {
		for kind, credentials := range map[string]authn.Keychain{"password": fixture.User{Name: "user", Password: "secret"}, "token": token{}} {
			t.Run(strings.Join([]string{tt.registry, tt.realm, tt.allowed, kind}, " "), func(t *testing.T) {
				realm, _ := url.Parse(tt.realm)
				in, transport := newInternet(t, func(w http.ResponseWriter, r *http.Request) {
					switch {
					case realm != nil && r.URL.Path == realm.Path && realm.Path != "" && r.URL.Path != "/v2/":
						fmt.Fprint(w, `{"token":"bearer-secret"}`)
					case r.Header.Get("Authorization") == "Bearer bearer-secret":
						http.NotFound(w, r)
					default:
						w.Header().Set("WWW-Authenticate", `Bearer realm="`+tt.realm+`",service="x"`)
						w.WriteHeader(http.StatusUnauthorized)
					}
				})
				r, err := New(tt.registry, "app", Options{Keychain: credentials, Transport: transport, TokenServer: tt.allowed})
				fixture.Check(t, err)
				_, err = r.Resolve(fixture.Context(t), "1")
				if tt.ok != errors.Is(err, content.ErrNotFound) || !tt.ok && (!errors.Is(err, v2.ErrCredentials) || !strings.Contains(err.Error(), tt.want)) || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v", err)
				}
				in.mu.Lock()
				defer in.mu.Unlock()
				for place := range in.leaks {
					u, _ := url.Parse(place)
					if u.Scheme != "https" || !tt.ok || u.Host != r.registry.RegistryStr() && u.Host != realm.Host {
						t.Errorf("credentials went to %s", place)
					}
				}
				if tt.ok && len(in.leaks) == 0 {
					t.Error("no credentials were sent")
				}
			})
		}
	}
}

// TestRegistryRealmAnonymous has nothing to lose.
func TestRegistryRealmAnonymous(t *testing.T) {
	_, transport := newInternet(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			fmt.Fprint(w, `{"access_token":"anyone"}`)
		case r.Header.Get("Authorization") == "Bearer anyone":
			http.NotFound(w, r)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://tokens.test/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	r, err := New("registry.example.com", "app", Options{Transport: transport})
	fixture.Check(t, err)
	if _, err = r.Resolve(fixture.Context(t), "1"); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestRegistryRealmOnPort has the token server on another port of this machine, without https.
// It is asked only if the user allows it, even for a token that everyone gets.
func TestRegistryRealmOnPort(t *testing.T) {
	for kind, credentials := range map[string]authn.Keychain{"password": fixture.User{Name: "user", Password: "secret"}, "token": token{}, "anonymous": nil} {
		for _, allowed := range []string{"", "127.0.0.1:5001"} {
			t.Run(kind+" "+allowed, func(t *testing.T) {
				in, transport := newInternet(t, func(w http.ResponseWriter, r *http.Request) {
					switch {
					case r.Host == "127.0.0.1:5001" && r.URL.Path == "/auth/token":
						fmt.Fprint(w, `{"token":"bearer"}`)
					case r.Host == "127.0.0.1:5000" && r.Header.Get("Authorization") == "Bearer bearer":
						http.NotFound(w, r)
					default:
						w.Header().Set("WWW-Authenticate", `Bearer realm="http://127.0.0.1:5001/auth/token",service="x"`)
						w.WriteHeader(http.StatusUnauthorized)
					}
				})
				r, err := New("127.0.0.1:5000", "app", Options{Keychain: credentials, Transport: transport, TokenServer: allowed})
				fixture.Check(t, err)
				_, err = r.Resolve(fixture.Context(t), "1")
				in.mu.Lock()
				defer in.mu.Unlock()
				asked := in.asked["http://127.0.0.1:5001"] + in.asked["https://127.0.0.1:5001"]
				var server *TokenServerError
				if allowed == "" {
					if asked != 0 || !errors.As(err, &server) || server.Registry != "127.0.0.1:5000" || server.Server != "127.0.0.1:5001" {
						t.Errorf("asked %d times, got %v", asked, err)
					}
					return
				}
				if asked != 1 || !errors.Is(err, content.ErrNotFound) {
					t.Errorf("asked %d times, got %v", asked, err)
				}
			})
		}
	}
}

// TestRegistryRealmRefuses has a token server that the user allows refuse and break off: the
// errors name it, not what stands in for it.
func TestRegistryRealmRefuses(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"refused": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://10.0.0.3/token", http.StatusFound)
		},
		"to private": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://10.0.0.2:99/token", http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			in, transport := newInternet(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Host == "10.0.0.2" {
					answer(w, r)
					return
				}
				w.Header().Set("WWW-Authenticate", `Bearer realm="https://10.0.0.2/token"`)
				w.WriteHeader(http.StatusUnauthorized)
			})
			r, err := New("10.0.0.1", "app", Options{Keychain: fixture.User{Name: "user", Password: "secret"}, Transport: transport, TokenServer: "10.0.0.2"})
			fixture.Check(t, err)
			_, err = r.Resolve(fixture.Context(t), "1")
			if err == nil || !strings.Contains(err.Error(), "https://10.0.0.2/token") || strings.Contains(err.Error(), standIn) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v", err)
			}
			in.mu.Lock()
			defer in.mu.Unlock()
			for place := range in.leaks {
				if place != "https://10.0.0.2" {
					t.Errorf("credentials went to %s", place)
				}
			}
		})
	}
}

// TestRegistryRedirects has the registry and its token server lead elsewhere.
func TestRegistryRedirects(t *testing.T) {
	tests := map[string]struct{ ping, tokens, manifest, blob string }{
		"ping":              {ping: "https://evil.test/v2/"},
		"tokens":            {tokens: "https://evil.test/token"},
		"tokens to http":    {tokens: "http://registry.example.com/token"},
		"manifest":          {manifest: "https://evil.test/manifest"},
		"blob":              {blob: "https://evil.test/blob"},
		"blob to http":      {blob: "http://registry.example.com/blob"},
		"blob to loopback":  {blob: "http://127.0.0.1/blob"},
		"blob back by http": {blob: "http://evil.test/blob"},
	}
	for name, tt := range tests {
		for kind, credentials := range map[string]authn.Keychain{"password": fixture.User{Name: "user", Password: "secret"}, "token": token{}} {
			t.Run(name+" "+kind, func(t *testing.T) {
				redirect := func(w http.ResponseWriter, to string) bool {
					if to == "" {
						return false
					}
					w.Header().Set("Location", to)
					w.WriteHeader(http.StatusTemporaryRedirect)
					return true
				}
				in, transport := newInternet(t, func(w http.ResponseWriter, r *http.Request) {
					at := r.Host == "registry.example.com"
					switch path := r.URL.Path; {
					case at && path == "/v2/" && redirect(w, tt.ping):
					case at && path == "/token" && redirect(w, tt.tokens):
					case at && strings.Contains(path, "/manifests/") && redirect(w, tt.manifest):
					case at && strings.Contains(path, "/blobs/") && redirect(w, tt.blob):
					case path == "/token":
						fmt.Fprint(w, `{"token":"bearer-secret"}`)
					case at && r.Header.Get("Authorization") == "Bearer bearer-secret":
						http.NotFound(w, r)
					case at || path == "/v2/":
						w.Header().Set("WWW-Authenticate", `Bearer realm="https://registry.example.com/token"`)
						w.WriteHeader(http.StatusUnauthorized)
					default:
						w.Header().Set("WWW-Authenticate", `Basic realm="evil"`)
						w.WriteHeader(http.StatusUnauthorized)
					}
				})
				r, err := New("registry.example.com", "app", Options{Keychain: credentials, Transport: transport})
				fixture.Check(t, err)
				if _, err = r.Resolve(fixture.Context(t), "1"); err == nil || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v", err)
				}
				if _, err = r.Blob(fixture.Context(t), content.Descriptor{Digest: "sha256:" + "00", Size: 1}); err == nil || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v", err)
				}
				in.mu.Lock()
				defer in.mu.Unlock()
				for place := range in.leaks {
					if place != "https://registry.example.com" {
						t.Errorf("credentials went to %s", place)
					}
				}
			})
		}
	}
}

// TestRegistryPrivateAddress has a registry in the local network that has no https.
func TestRegistryPrivateAddress(t *testing.T) {
	in, transport := newInternet(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
	})
	r, err := New("192.168.1.1:5000", "app", Options{Keychain: fixture.User{Name: "user", Password: "secret"}, Transport: transport})
	fixture.Check(t, err)
	if _, err := r.Resolve(fixture.Context(t), "1"); err == nil {
		t.Error("no error")
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for place := range in.asked {
		if strings.HasPrefix(place, "http://") {
			t.Errorf("asked %s", place)
		}
	}
}

func TestGuard(t *testing.T) {
	in, transport := newInternet(t, func(http.ResponseWriter, *http.Request) {})
	registry, err := name.NewRegistry("registry.example.com")
	fixture.Check(t, err)
	g := &guard{next: transport, registry: registry.RegistryStr()}
	for _, address := range []string{"https://other.example.com/", "http://registry.example.com/", "https://registry.example.com:444/", "https://127.0.0.1/"} {
		request, err := http.NewRequestWithContext(fixture.Context(t), http.MethodGet, address, nil)
		fixture.Check(t, err)
		request.Header.Set("Authorization", "secret")
		if _, err := g.RoundTrip(request); !errors.Is(err, v2.ErrCredentials) {
			t.Errorf("%s: %v", address, err)
		}
		request, err = http.NewRequestWithContext(fixture.Context(t), http.MethodPost, address, strings.NewReader("secret"))
		fixture.Check(t, err)
		if _, err := g.RoundTrip(request); !errors.Is(err, v2.ErrCredentials) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if len(in.asked) > 0 {
		t.Errorf("asked %v", in.asked)
	}
}
