package registry

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestRegistryFaults breaks requests in passing.
func TestRegistryFaults(t *testing.T) {
	src, image := fixture.NewImage(t, 3<<20)
	busy := func(w http.ResponseWriter) { http.Error(w, "busy", http.StatusServiceUnavailable) }
	wait := func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "0")
		http.Error(w, `{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}`, http.StatusTooManyRequests)
	}
	reset := func(http.ResponseWriter) { panic(http.ErrAbortHandler) }
	for name, fail := range map[string]func(http.ResponseWriter){"busy": busy, "throttled": wait, "reset": reset} {
		t.Run(name, func(t *testing.T) {
			n := newNeutralRegistry(t)
			failed := map[string]int{}
			var mu sync.Mutex
			n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				failed[r.Method]++
				again := failed[r.Method] <= 2
				mu.Unlock()
				if again && r.URL.Path != "/v2/" {
					fail(w)
					return true
				}
				return false
			})
			mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"1"}})
			mu.Lock()
			clear(failed)
			mu.Unlock()
			dst := filepath.Join(t.TempDir(), "dst")
			result := mustCopy(t, n.repository("app"), layout.New(dst), transfer.Options{Reference: "1", Tags: []string{"x"}})
			fixture.ValidateLayout(t, dst)
			if result.Digest != fixture.DigestOf(t, image) {
				t.Errorf("got %s", result.Digest)
			}
		})
	}
}

// TestRegistryHostileManifest answers manifests that are not what was asked for.
func TestRegistryHostileManifest(t *testing.T) {
	tests := map[string]struct {
		header http.Header
		body   string
		want   string
	}{
		"other digest":    {http.Header{"Docker-Content-Digest": {string(digest.FromString("x"))}}, "{}", "its bytes have the digest"},
		"no digest":       {http.Header{"Docker-Content-Digest": {"junk"}}, "{}", "its bytes have the digest"},
		"unknown algo":    {http.Header{"Docker-Content-Digest": {"md5:0123"}}, "{}", "its bytes have the digest"},
		"too long":        {nil, strings.Repeat(" ", content.MaxManifestSize+1), "longer than"},
		"schema 1":        {http.Header{"Content-Type": {"application/vnd.docker.distribution.manifest.v1+prettyjws"}}, `{"schemaVersion":1,"fsLayers":[]}`, "schema 1"},
		"not JSON":        {nil, "{]", "not a manifest"},
		"image and index": {nil, `{"schemaVersion":2,"config":{},"manifests":[]}`, "neither"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n := newNeutralRegistry(t)
			n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				for key, values := range tt.header {
					w.Header()[key] = values
				}
				_, _ = io.WriteString(w, tt.body)
				return true
			})
			_, err := transfer.Copy(fixture.Context(t), n.repository("app"), layout.New(t.TempDir()), transfer.Options{Reference: "1"})
			if !errors.Is(err, content.ErrIntegrity) && !errors.Is(err, content.ErrUnsupported) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestRegistryNoRegistry has a proxy that answers with a page, or with nothing, for every
// address: that is neither an image nor a reason to say that there is none.
func TestRegistryNoRegistry(t *testing.T) {
	for _, page := range []string{"<html>log in</html>", "", " \n"} {
		n := newNeutralRegistry(t)
		n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.WriteString(w, page)
			return true
		})
		_, byTag := n.repository("app").Resolve(fixture.Context(t), "1")
		_, byDigest := n.repository("app").Manifests(fixture.Context(t), []content.Descriptor{{Digest: digest.FromString("x"), Size: 100}})
		for _, err := range []error{byTag, byDigest} {
			if !errors.Is(err, content.ErrProtocol) || errors.Is(err, content.ErrNotFound) || errors.Is(err, content.ErrIntegrity) {
				t.Errorf("%q: got %v", page, err)
			}
		}
	}
}

// TestRegistryBearer has tokens that end after a few requests, also in the middle of
// an upload, and are good for what they were asked for.
func TestRegistryBearer(t *testing.T) {
	src, image := fixture.NewImage(t, 1000, 2000, 11<<20)
	n := newNeutralRegistry(t)
	var (
		mu     sync.Mutex
		tokens = map[string]string{} // the scopes of each
		uses   = map[string]int{}
		// A request is refused once: others at the same time may use its second token up before it is sent again.
		refused = map[string]bool{}
	)
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/token" {
			if name, password, _ := r.BasicAuth(); name != "user" || password != "secret" {
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			token := fmt.Sprint("token", len(tokens))
			tokens[token] = strings.Join(r.URL.Query()["scope"], " ")
			fmt.Fprintf(w, `{"token":%q}`, token)
			return true
		}
		need := "pull"
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			need = "push"
		}
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		uses[token]++
		request := r.Method + " " + r.URL.String() + " " + r.Header.Get("Range")
		if scopes := tokens[token]; (uses[token] <= 4 || refused[request]) && strings.Contains(scopes, need) {
			return false
		}
		refused[request] = true
		challenge := fmt.Sprintf(`Bearer realm="http://%s/token",service="x"`, n.Host)
		if r.URL.Path != "/v2/" {
			challenge += fmt.Sprintf(`,scope="repository:app:%s"`, need)
		}
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	open := func() *Repository {
		return openTestRegistry(t, n.Host, "app", Options{Keychain: fixture.User{Name: "user", Password: "secret"}})
	}
	mustCopy(t, layout.New(src), open(), transfer.Options{Reference: "x", Tags: []string{"1"}})
	dst := filepath.Join(t.TempDir(), "dst")
	result := mustCopy(t, open(), layout.New(dst), transfer.Options{Reference: "1", Tags: []string{"x"}})
	fixture.ValidateLayout(t, dst)
	if result.Digest != fixture.DigestOf(t, image) {
		t.Errorf("got %s", result.Digest)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(tokens) < 3 {
		t.Errorf("only %d tokens", len(tokens))
	}
}

// TestRegistryTokenEndsAtManifest has a token end with the manifest: it is sent again as
// a whole.
func TestRegistryTokenEndsAtManifest(t *testing.T) {
	src, image := fixture.NewImage(t, 1000)
	n := newNeutralRegistry(t)
	var refused atomic.Bool
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			fmt.Fprint(w, `{"token":"x"}`)
			return true
		}
		if isPut := r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/"); r.Header.Get("Authorization") != "" && (!isPut || refused.Swap(true)) {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="x",scope="repository:app:pull,push"`, n.Host))
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"1"}})
	if !refused.Load() {
		t.Fatal("no token was refused")
	}
	m, err := n.repository("app").Resolve(fixture.Context(t), "1")
	fixture.Check(t, err)
	if m.Descriptor.Digest != fixture.DigestOf(t, image) {
		t.Errorf("stored as %s", m.Descriptor.Digest)
	}
}
