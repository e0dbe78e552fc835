package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// gallery is a repository of an index, its image and its blob, and of another image.
type gallery struct {
	*upstream
	index, other content.Manifest
}

func newGallery() *gallery {
	g := &gallery{upstream: newUpstream(100)}
	data, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{g.manifest.Descriptor},
	})
	if err != nil {
		panic(err)
	}
	g.index = content.NewManifest(data, "application/vnd.oci.image.index.v1+json")
	other := newUpstream(101)
	g.other = other.manifest
	return g
}

func (g *gallery) Resolve(ctx context.Context, reference string) (content.Manifest, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.resolved++
	if g.down != nil {
		return content.Manifest{}, g.down
	}
	for tag, m := range map[string]content.Manifest{"index": g.index, "child": g.manifest, "other": g.other} {
		if reference == tag || reference == string(m.Descriptor.Digest) {
			return m, nil
		}
	}
	return content.Manifest{}, content.ErrNotFound
}

func (g *gallery) manifestPath(reference string) string {
	return "/v2/" + registryHost + "/team/app/manifests/" + reference
}

// guard demands that an image is one of some.
type guard struct {
	mu       sync.Mutex
	id       string
	good     map[digest.Digest]bool
	down     error
	noKeys   error
	verified int
}

func (g *guard) demand(context.Context, string, string) (ImageRequirements, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return ImageRequirements{g.id, g.verify}, g.noKeys
}

func (g *guard) verify(_ context.Context, _ content.Source, m content.Manifest) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.verified++
	if g.down != nil {
		return g.down
	}
	if !g.good[m.Descriptor.Digest] {
		return fmt.Errorf("%w: it is not signed", ErrRefused)
	}
	return nil
}

func (s *site) want(path string, status int, reason string) {
	s.t.Helper()
	r, body, err := s.send(http.MethodGet, path, nil)
	if err != nil || r.StatusCode != status || !strings.Contains(string(body), reason) {
		s.t.Errorf("%s: %s, want %d with %q: %.300s", path, r.Status, status, reason, body)
	}
}

// TestDemand asks for images of which only the index is as required.
func TestDemand(t *testing.T) {
	t.Parallel()
	g, dir := newGallery(), t.TempDir()
	by := &guard{id: "1", good: map[digest.Digest]bool{g.index.Descriptor.Digest: true}}
	demands := func(o *Options) { o.Demand = by.demand }
	child, other := string(g.manifest.Descriptor.Digest), string(g.other.Descriptor.Digest)
	s := start(t, g, dir, 1<<20, demands)
	for _, reference := range []string{"other", other, "child", child} {
		s.want(g.manifestPath(reference), http.StatusForbidden, "it is not signed")
	}
	s.want(g.path(), http.StatusForbidden, "no verified image")
	s.want("/v2/registry.example/team/app/blobs/"+child, http.StatusForbidden, "no verified image")
	if g.stats > 0 || g.sent > 0 {
		t.Error("blobs that no verified image names were asked for")
	}

	s.want(g.manifestPath("index"), http.StatusOK, child)
	s.want(g.manifestPath("child"), http.StatusForbidden, "it is not signed") // by its tag it stands alone
	s.want(g.manifestPath(child), http.StatusOK, "layers")
	s.want(g.manifestPath(other), http.StatusForbidden, "it is not signed")
	s.want(g.path(), http.StatusOK, "")
	if g.stats > 0 {
		t.Error("the size of a blob was asked for that a verified image says")
	}
	verified := by.verified
	s.want(g.manifestPath("index"), http.StatusOK, "")
	if by.verified != verified {
		t.Error("the index was verified twice")
	}

	s.stop()
	s = start(t, g, dir, 1<<20, demands)
	resolved := g.resolved
	s.want(g.path(), http.StatusOK, "") // the client has the manifests
	s.want(g.manifestPath(child), http.StatusOK, "")
	if g.resolved != resolved {
		t.Error("the registry was asked for what was verified before the proxy was started again")
	}
	by.mu.Lock()
	by.id, by.good = "2", nil
	by.mu.Unlock()
	for _, reference := range []string{"index", string(g.index.Descriptor.Digest), child} {
		s.want(g.manifestPath(reference), http.StatusForbidden, "it is not signed") // under another policy
	}
	s.want(g.path(), http.StatusForbidden, "no verified image")
}

// TestDemandIsUnknown has the signatures or the keys out of reach: nothing is answered.
func TestDemandIsUnknown(t *testing.T) {
	t.Parallel()
	g := newGallery()
	by := &guard{id: "1", down: errors.New("the signatures cannot be read")}
	s := start(t, g, t.TempDir(), 1<<20, func(o *Options) { o.Demand = by.demand })
	s.want(g.manifestPath("index"), http.StatusServiceUnavailable, "the signatures cannot be read")
	by.mu.Lock()
	by.down, by.noKeys = nil, errors.New("the key cannot be had")
	by.mu.Unlock()
	s.want(g.manifestPath("index"), http.StatusServiceUnavailable, "the key cannot be had")
	s.want(g.path(), http.StatusServiceUnavailable, "the key cannot be had")
	if _, body, _ := s.send(http.MethodGet, "/metrics", nil); !bytes.Contains(body, []byte("ecrkit_proxy_refused_images_total 3\n")) {
		t.Errorf("metrics:\n%s", body)
	}
}

// TestDemandOnce has many clients ask for an image at once.
func TestDemandOnce(t *testing.T) {
	t.Parallel()
	g := newGallery()
	by := &guard{id: "1", good: map[digest.Digest]bool{g.index.Descriptor.Digest: true}}
	s := start(t, g, t.TempDir(), 1<<20, func(o *Options) { o.Demand = by.demand })
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() { s.want(g.manifestPath("index"), http.StatusOK, "") })
	}
	clients.Wait()
	if by.verified != 1 {
		t.Errorf("verified %d times, want once for all clients", by.verified)
	}
}

// TestOtherRepository asks for what the cache has in a repository that does not have it.
func TestOtherRepository(t *testing.T) {
	t.Parallel()
	u := newUpstream(100)
	empty := newUpstream(50)
	s := start(t, u, t.TempDir(), 1<<20, func(o *Options) {
		o.Open = func(_ context.Context, _, repository string) (content.Source, error) {
			return map[string]content.Source{"team/app": u, "team/other": empty}[repository], nil
		}
	})
	d := string(u.manifest.Descriptor.Digest)
	s.want("/v2/registry.example/team/app/manifests/"+d, http.StatusOK, "")
	s.want(u.path(), http.StatusOK, "")
	s.want("/v2/registry.example/team/other/manifests/"+d, http.StatusNotFound, "")
	s.want(strings.Replace(u.path(), "team/app", "team/other", 1), http.StatusNotFound, "")
}

// TestUnreachable has the registry out of reach after a pull, and the proxy started again.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	u, dir := newUpstream(100), t.TempDir()
	tag, byDigest := "/v2/registry.example/team/app/manifests/1.0", "/v2/registry.example/team/app/manifests/"+string(u.manifest.Descriptor.Digest)
	s := start(t, u, dir, 1<<20)
	s.want(tag, http.StatusOK, "")
	s.want(u.path(), http.StatusOK, "")
	s.stop()
	u.down = &net.OpError{Op: "dial", Err: errors.New("unreachable")}
	s = start(t, u, dir, 1<<20)
	s.want(tag, http.StatusBadGateway, "unreachable")
	s.want(byDigest, http.StatusOK, "")
	s.want(u.path(), http.StatusOK, "")
	s.stop()
	s = start(t, u, dir, 1<<20, func(o *Options) { o.OfflineTags = true })
	s.want(tag, http.StatusOK, "")
	if r, _, _ := s.send(http.MethodHead, tag, nil); !strings.HasPrefix(r.Header.Get("Warning"), "110 ") {
		t.Errorf("headers of an old tag: %v", r.Header)
	}
	s.want("/v2/registry.example/team/app/manifests/1.1", http.StatusBadGateway, "unreachable")
	u.down = content.ErrNotFound // the tag was removed
	s.want(tag, http.StatusNotFound, "")
}
