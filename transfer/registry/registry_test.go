package registry

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

func TestRegistryBothWays(t *testing.T) {
	src, _, index := fixture.Layout(t, 3)
	want := fixture.DigestOf(t, index)
	w := newWorld(t, localecr.Options{})
	n := newNeutralRegistry(t)
	steps := []struct {
		name     string
		src      content.Source
		dst      content.Target
		from, to string
	}{
		{"layout to registry", layout.New(src), n.repository("a/b"), "index", "1"},
		{"registry to registry", n.repository("a/b"), n.repository("c"), "1", "2"},
		{"registry to ECR", n.repository("c"), w.v2Repository("app"), "2", "3"},
		{"ECR to registry", w.repository("app"), n.repository("d"), "3", "4"},
		{"registry to ECR's /v2/", n.repository("d"), w.v2Registry("app"), "4", "5"},
		{"ECR's /v2/ to registry", w.v2Registry("app"), n.repository("e"), "5", "6"},
	}
	for _, s := range steps {
		result, err := transfer.Copy(fixture.Context(t), s.src, s.dst, transfer.Options{Reference: s.from, Tags: []string{s.to}})
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if result.Digest != want {
			t.Errorf("%s: %s, want %s", s.name, result.Digest, want)
		}
	}
	for _, reference := range []string{"6", string(want)} {
		dst := filepath.Join(t.TempDir(), "dst")
		mustCopy(t, n.repository("e"), layout.New(dst), transfer.Options{Reference: reference, Tags: []string{"x"}})
		fixture.ValidateLayout(t, dst)
	}
}

// TestRegistryRequests counts what a push needs.
func TestRegistryRequests(t *testing.T) {
	src, _ := fixture.NewImage(t, 1000, 2000)
	n := newNeutralRegistry(t)
	opts := transfer.Options{Reference: "x", Tags: []string{"1"}}
	mustCopy(t, layout.New(src), n.repository("app"), opts)
	all := n.Count("")
	if all < 3+2*3+1 || all > 3+2*3+3 {
		t.Errorf("%d requests for 3 blobs", all)
	}
	result := mustCopy(t, layout.New(src), n.repository("app"), opts)
	if got := n.Count("POST"); got != 0 || result.BlobsSent != 0 {
		t.Errorf("%d uploads of what is there", got)
	}
}

func TestRegistryNotFound(t *testing.T) {
	n := newNeutralRegistry(t)
	for _, reference := range []string{"1.0", string(digest.FromString("x"))} {
		_, err := n.repository("app").Resolve(fixture.Context(t), reference)
		if !errors.Is(err, content.ErrNotFound) || !strings.Contains(err.Error(), n.Host+"/app: image "+reference) {
			t.Errorf("got %v", err)
		}
	}
	_, err := n.repository("app").Manifests(fixture.Context(t), []content.Descriptor{{Digest: digest.FromString("x"), Size: 1}})
	if !errors.Is(err, content.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	_, err = n.repository("app").Blob(fixture.Context(t), content.Descriptor{Digest: digest.FromString("x"), Size: 1})
	if !errors.Is(err, content.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestRegistryRedirect keeps the blobs at another server, as behind a CDN, or at the same one outside of the API. They
// must get no credentials, and their URLs expire.
func TestRegistryRedirect(t *testing.T) {
	for _, same := range []bool{false, true} {
		t.Run(fmt.Sprintf("same server %t", same), func(t *testing.T) { registryRedirect(t, same) })
	}
}

func registryRedirect(t *testing.T, same bool) {
	src, _ := fixture.NewImage(t, 3<<20)
	n := newNeutralRegistry(t)
	mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"1"}})
	var served, leaked, signed atomic.Int64
	files := http.StripPrefix("/store", http.FileServer(http.Dir(filepath.Join(src, "blobs", "sha256"))))
	store := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			leaked.Add(1)
		}
		if r.URL.Query().Get("X-Signature") != fmt.Sprint("canary", signed.Load()) {
			http.Error(w, "expired", http.StatusForbidden)
			return
		}
		if served.Add(1)%2 == 0 {
			signed.Add(1) // the URL expires
		}
		files.ServeHTTP(w, r)
	})
	cdn := httptest.NewServer(store)
	t.Cleanup(cdn.Close)
	place := cdn.URL
	if same {
		place = "http://" + n.Host
	}
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/store/") && place != cdn.URL {
			store.ServeHTTP(w, r)
			return true
		}
		if name, password, _ := r.BasicAuth(); name != "user" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			http.Error(w, "who are you", http.StatusUnauthorized)
			return true
		}
		if _, name, ok := strings.Cut(r.URL.Path, "/blobs/sha256:"); ok {
			http.Redirect(w, r, fmt.Sprintf("%s/store/%s?X-Signature=canary%d", place, name, signed.Load()), http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, openTestRegistry(t, n.Host, "app", Options{Keychain: fixture.User{Name: "user", Password: "secret"}}), layout.New(dst), transfer.Options{Reference: "1", Tags: []string{"x"}})
	fixture.ValidateLayout(t, dst)
	if leaked.Load() != 0 || served.Load() < 3 {
		t.Errorf("%d requests with credentials of %d", leaked.Load(), served.Load())
	}

	_, err := n.repository("app").Resolve(fixture.Context(t), "1")
	var refused *UnauthorizedError
	if !errors.As(err, &refused) || refused.Registry != n.Host || !strings.HasSuffix(err.Error(), "401 Unauthorized") {
		t.Errorf("anonymous: %v", err)
	}
	cdn.Close()
	place = cdn.URL
	_, err = transfer.Copy(fixture.Context(t), openTestRegistry(t, n.Host, "app", Options{Keychain: fixture.User{Name: "user", Password: "secret"}}), layout.New(filepath.Join(t.TempDir(), "dst")), transfer.Options{Reference: "1"})
	if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// TestRegistryWithoutRanges has a server that knows no ranges.
func TestRegistryWithoutRanges(t *testing.T) {
	src, _ := fixture.NewImage(t, 3<<20)
	n := newNeutralRegistry(t)
	mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"1"}})
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		r.Header.Del("Range")
		return false
	})
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, n.repository("app"), layout.New(dst), transfer.Options{Reference: "1", Tags: []string{"x"}})
	fixture.ValidateLayout(t, dst)
}

// TestRegistryMount copies between two repositories of a registry that mounts.
func TestRegistryMount(t *testing.T) {
	for _, can := range []bool{true, false} {
		t.Run(fmt.Sprint(can), func(t *testing.T) {
			src, _ := fixture.NewImage(t, 1000, 2000, 3000)
			n := newNeutralRegistry(t)
			mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"1"}})
			var asked atomic.Int32
			n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				q := r.URL.Query()
				if r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/blobs/") {
					w.WriteHeader(http.StatusNotFound) // this one has its blobs in one place
					return true
				}
				if q.Get("mount") == "" {
					return false
				}
				if asked.Add(1); can && q.Get("from") == "app" {
					w.Header().Set("Docker-Content-Digest", q.Get("mount"))
					w.WriteHeader(http.StatusCreated)
					return true
				}
				return false
			})
			n.Count("")
			result := mustCopy(t, n.repository("app"), n.repository("copy"), transfer.Options{Reference: "1", Tags: []string{"1"}})
			puts := 0
			for _, r := range n.Requests() {
				if strings.HasPrefix(r, "PATCH") || strings.HasPrefix(r, "PUT") && strings.Contains(r, "/blobs/uploads/") {
					puts++
				}
			}
			switch {
			case can && (puts != 0 || asked.Load() != 4 || result.BlobsMounted != 4):
				t.Errorf("%d uploads after %d mounts: %+v", puts, asked.Load(), result)
			case !can && (puts != 4 || asked.Load() != 1):
				t.Errorf("%d uploads after %d attempts to mount", puts, asked.Load())
			}
		})
	}
}

func TestRegistryConflict(t *testing.T) {
	src, image := fixture.NewImage(t, 1000)
	other, _ := fixture.NewImage(t, 1000)
	n := newNeutralRegistry(t)
	mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"1"}})
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/1") {
			http.Error(w, `{"errors":[{"code":"DENIED","message":"tag 1 is immutable"}]}`, http.StatusBadRequest)
			return true
		}
		return r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/manifests/")
	})
	_, err := transfer.Copy(fixture.Context(t), layout.New(other), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"1"}})
	var conflict *content.ConflictError
	if !errors.As(err, &conflict) || conflict.Have != fixture.DigestOf(t, image) {
		t.Errorf("got %v", err)
	}
	mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"1"}})
}

func TestRegistryLists(t *testing.T) {
	src, _ := fixture.NewImage(t, 1000)
	n := newNeutralRegistry(t)
	var tags []string
	for i := range 5 {
		tags = append(tags, fmt.Sprint("t", i))
	}
	mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: tags})
	// Two tags in each page.
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v2/app/tags/list" {
			return false
		}
		i := slices.Index(tags, r.URL.Query().Get("last")) + 1
		page := tags[i:min(i+2, len(tags))]
		if i+2 < len(tags) {
			w.Header().Add("Link", `</other>; rel="prev", </v2/app/tags/list?`+url.Values{"last": {page[1]}, "n": {"2"}}.Encode()+`>; rel="next"`)
		}
		fmt.Fprintf(w, `{"name":"app","tags":["%s"]}`, strings.Join(append(slices.Clone(page), `not a tag\u001b`), `","`))
		return true
	})
	got, err := n.repository("app").Tags(fixture.Context(t))
	fixture.Check(t, err)
	if !slices.Equal(got, tags) {
		t.Errorf("got %q", got)
	}
	repositories, err := n.repository("").Repositories(fixture.Context(t))
	fixture.Check(t, err)
	if !slices.Equal(repositories, []string{"app"}) {
		t.Errorf("got %q", repositories)
	}

	for _, link := range []string{`<https://other.test/v2/app/tags/list>; rel="next"`, `</v2/app/tags/list?n=1000>; rel=next`} {
		n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Link", link)
			fmt.Fprint(w, `{"tags":["a"]}`)
			return r.URL.Path != "/v2/"
		})
		if _, err := n.repository("app").Tags(fixture.Context(t)); !errors.Is(err, content.ErrProtocol) {
			t.Errorf("%s: %v", link, err)
		}
	}
}

func TestRegistryDelete(t *testing.T) {
	src, _ := fixture.NewImage(t, 1000)
	n := newNeutralRegistry(t)
	r := n.repository("app")
	mustCopy(t, layout.New(src), r, transfer.Options{Reference: "x", Tags: []string{"1"}})
	fixture.Check(t, r.deleteReference(fixture.Context(t), "1"))
	if err := r.deleteReference(fixture.Context(t), "1"); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodDelete {
			return false
		}
		w.WriteHeader(http.StatusMethodNotAllowed)
		return true
	})
	if err := r.deleteReference(fixture.Context(t), "1"); !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

// TestRegistryDeleteAgain has the answer to a deletion be lost, and then a deletion be throttled of what is not there.
func TestRegistryDeleteAgain(t *testing.T) {
	src, _ := fixture.NewImage(t, 1000)
	n := newNeutralRegistry(t)
	r := n.repository("app")
	mustCopy(t, layout.New(src), r, transfer.Options{Reference: "x", Tags: []string{"1"}})
	for status, want := range map[int]error{http.StatusInternalServerError: nil, http.StatusTooManyRequests: content.ErrNotFound} {
		answers := 0
		n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodDelete {
				return false
			}
			if answers++; answers == 1 {
				w.WriteHeader(status)
			} else {
				w.WriteHeader(http.StatusNotFound)
			}
			return true
		})
		if err := r.deleteReference(fixture.Context(t), "1"); !errors.Is(err, want) || answers != 2 {
			t.Errorf("%d: %v after %d answers", status, err, answers)
		}
	}
}

// TestDockerHubNames checks how short names are read.
func TestDockerHubNames(t *testing.T) {
	for _, host := range []string{"docker.io", "index.docker.io", "registry-1.docker.io", "Docker.io.:443", "registry.hub.docker.com"} {
		for name, want := range map[string]string{"alpine": "library/alpine", "grafana/loki": "grafana/loki"} {
			r, err := New(host, name, Options{})
			fixture.Check(t, err)
			if r.repository != want || r.registry.RegistryStr() != "index.docker.io" || r.String() != "docker.io/"+want {
				t.Errorf("%s/%s is %s, %s at %s", host, name, r, r.repository, r.registry.RegistryStr())
			}
		}
	}
}
