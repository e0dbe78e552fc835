package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestRejectedRepository asks a repository from which the policy takes no image for everything that it may be asked for.
func TestRejectedRepository(t *testing.T) {
	t.Parallel()
	u := newUpstream(100)
	for _, push := range []bool{false, true} {
		s := start(t, listing{u}, t.TempDir(), 1<<20, func(o *Options) {
			o.Push = push
			o.Demand = func(context.Context, string, string) (ImageRequirements, error) {
				return ImageRequirements{}, fmt.Errorf("%w: nothing is taken from there", ErrRefused)
			}
		})
		d := string(u.manifest.Descriptor.Digest)
		for _, path := range []string{app + "/manifests/1.0", app + "/manifests/" + d, u.path(), app + "/tags/list", app + "/referrers/" + d} {
			s.want(path, http.StatusForbidden, "nothing is taken from there")
			if r, _, err := s.send(http.MethodHead, path, nil); err != nil || r.StatusCode == http.StatusOK {
				t.Errorf("HEAD %s: %s, %v", path, r.Status, err)
			}
		}
		if u.resolved+u.stats > 0 || u.sent > 0 {
			t.Error("the registry was asked")
		}
	}
}

// listing is an upstream with a list of referrers.
type listing struct{ *upstream }

func (listing) Referrers(context.Context, digest.Digest) ([]content.Descriptor, error) {
	return nil, nil
}

// TestMountFromRejected mounts a layer of a repository from which the policy takes nothing into one from which it takes all.
func TestMountFromRejected(t *testing.T) {
	t.Parallel()
	s := newPushSite(t)
	d := string(digest.FromString("hello"))
	s.do(http.StatusCreated, "POST", app+"/blobs/uploads/?digest="+d, "hello")
	s.options.Demand = func(_ context.Context, _, repository string) (ImageRequirements, error) {
		if repository == "team/app" {
			return ImageRequirements{}, fmt.Errorf("%w: nothing is taken from there", ErrRefused)
		}
		return ImageRequirements{}, nil
	}
	s.do(http.StatusAccepted, "POST", "/v2/"+registryHost+"/other/blobs/uploads/?mount="+d+"&from="+registryHost+"/team/app", "")
	s.do(http.StatusNotFound, "GET", "/v2/"+registryHost+"/other/blobs/"+d, "")
}

// TestManyBlobs has a repository with more blobs than are remembered: those of an image that was verified are answered.
func TestManyBlobs(t *testing.T) {
	t.Parallel()
	u := newUpstream(100)
	by := &guard{id: "1", good: map[digest.Digest]bool{u.manifest.Descriptor.Digest: true}}
	s := start(t, u, t.TempDir(), 1<<20, func(o *Options) { o.Demand = by.demand })
	s.want(app+"/manifests/1.0", http.StatusOK, "")
	grants, why := s.handler.repository(target{host: registryHost, repository: "team/app"}).grants, grant{Demand: "1"}
	layers := make([]content.Descriptor, maxGranted+1)
	for i := range layers {
		layers[i] = content.Descriptor{MediaType: "x/y", Digest: digest.FromString(strconv.Itoa(i)), Size: 1}
	}
	data, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": imageType, "config": layers[0], "layers": layers})
	if err != nil {
		t.Fatal(err)
	}
	grants.add(content.NewManifest(data, imageType), why)
	for _, d := range layers {
		if b, ok := grants.blob(d.Digest); !ok || b.Demand != why.Demand {
			t.Fatal("a layer of a verified image would be refused")
		}
	}
	s.want(u.path(), http.StatusOK, "")
	grants.add(content.NewManifest(data, imageType), why)
	grants.addBlob(digest.FromString("another"), 1)
	s.want(u.path(), http.StatusOK, "")
}

// TestHostHeaders asks with many Host headers: what is not exactly a name or an address of this machine may be that of a
// page which rebinds its own name.
func TestHostHeaders(t *testing.T) {
	t.Parallel()
	s := start(t, newUpstream(10), t.TempDir(), 1<<20)
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:4511": 200, "127.9.9.9:1": 200, "localhost:4511": 200, "LOCALHOST": 200, "app.localhost:80": 200, "[::1]:4511": 200, "[::1]": 200,
		"": 403, "evil.example": 403, "evil.example:4511": 403, "127.0.0.1.evil.example": 403, "localhost.evil.example:80": 403, "169.254.169.254": 403,
		"0.0.0.0:4511": 403, "127.0.0.1:abc": 403, "127.0.0.1:80x": 403, "app.localhost.:4511x": 403, "localhost:evil.example": 403, "[::1": 403, "::1]": 403, "[127.0.0.1": 403, "[::1]evil.example": 403, "user@127.0.0.1": 403,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v2/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if s.handler.ServeHTTP(w, r); w.Code != want {
			t.Errorf("Host %q: status %d, want %d", host, w.Code, want)
		}
	}
}
