package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/localecr"
)

// attach stores n manifests that refer to subject, with their blobs, and gives them.
func attach(t *testing.T, dst Target, subject Descriptor, n int) []Descriptor {
	t.Helper()
	var attached []Descriptor
	config := blobOf("{}", "application/vnd.oci.empty.v1+json")
	check(t, dst.PutBlob(t.Context(), config, strings.NewReader("{}")))
	for i := range n {
		m := referrer(t, subject, config, fmt.Sprint(i))
		check(t, dst.PutManifest(t.Context(), m))
		attached = append(attached, m.Descriptor)
	}
	return attached
}

// referrer is a manifest that refers to subject.
func referrer(t *testing.T, subject, config Descriptor, name string) Manifest {
	t.Helper()
	content, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: "application/vnd.example.signature", Config: config, Layers: []Descriptor{config},
		Subject: &subject, Annotations: map[string]string{"name": name},
	})
	check(t, err)
	return Manifest{Descriptor: blobOf(string(content), ocispec.MediaTypeImageManifest), Content: content}
}

func blobOf(content, mediaType string) Descriptor {
	return Descriptor{MediaType: mediaType, Digest: digest.FromString(content), Size: int64(len(content))}
}

// expectReferrers compares the referrers of a manifest by digest, size and media type.
func expectReferrers(t *testing.T, name string, lister ReferrerLister, subject digest.Digest, want []Descriptor) {
	t.Helper()
	got, err := lister.Referrers(t.Context(), subject)
	check(t, err)
	key := func(d Descriptor) string { return fmt.Sprint(d.Digest, d.Size, d.MediaType) }
	keys := func(list []Descriptor) (keys []string) {
		for _, d := range list {
			keys = append(keys, key(d))
		}
		slices.Sort(keys)
		return keys
	}
	if !slices.Equal(keys(got), keys(want)) {
		t.Errorf("%s: %d referrers, want %d: %v", name, len(got), len(want), got)
	}
}

// TestReferrers carries referrers, and one of a referrer, through all endpoints.
func TestReferrers(t *testing.T) {
	src, image := newImage(t, 1000)
	layout := NewLayout(src)
	m, err := layout.Resolve(t.Context(), "x")
	check(t, err)
	subject := digestOf(t, image)
	expectReferrers(t, "before", layout, subject, nil)
	want := attach(t, layout, m.Descriptor, 3)
	nested := attach(t, layout, want[0], 1)
	expectReferrers(t, "layout", layout, subject, want)
	validateLayout(t, src)

	w := newWorld(t, localecr.Options{})
	with, without := newNeutralRegistry(t, registry.WithReferrersSupport(true)), newNeutralRegistry(t)
	type endpoint interface {
		Source
		Target
		ReferrerLister
		TagLister
	}
	var from endpoint = layout
	for _, to := range []struct {
		name string
		endpoint
	}{
		{"ECR", w.repository("app")},
		{"registry with the API", with.repository("app")},
		{"registry without the API", without.repository("app")},
		{"ECR again", w.v2Repository("app")},
		{"ECR's /v2/", w.v2Registry("app")},
		{"layout again", NewLayout(filepath.Join(t.TempDir(), "dst"))},
	} {
		if _, err := Copy(t.Context(), from, to.endpoint, Options{Reference: "x", Tags: []string{"x"}, Referrers: true}); err != nil {
			t.Fatalf("%s: %v", to.name, err)
		}
		expectReferrers(t, to.name, to, subject, want)
		expectReferrers(t, to.name, to, want[0].Digest, nested)
		expectReferrers(t, to.name, to, digest.FromString("nothing"), nil)
		from = to.endpoint
	}

	// A layout with one image and its signatures has one image.
	last, err := from.Resolve(t.Context(), "")
	check(t, err)
	if last.Descriptor.Digest != subject {
		t.Errorf("the only image is %s", last.Descriptor.Digest)
	}
	tags, err := from.Tags(t.Context())
	check(t, err)
	if !slices.Equal(tags, []string{"x"}) {
		t.Errorf("tags %q", tags)
	}
}

// TestReferrersPages has more of them than one call gives.
func TestReferrersPages(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, image := newImage(t, 1000)
	mustCopy(t, NewLayout(src), w.repository("app"), Options{Reference: "x", Tags: []string{"x", "y", "z"}})
	m, err := w.repository("app").Resolve(t.Context(), "x")
	check(t, err)
	want := attach(t, w.repository("app"), m.Descriptor, 53)
	w.calls.Reset()
	expectReferrers(t, "ECR", w.repository("app"), digestOf(t, image), want)
	w.expectCalls(map[string]int{"ListImageReferrers": 2, "BatchGetImage": 1})

	tags, err := w.repository("app").Tags(t.Context())
	check(t, err)
	if !slices.Equal(tags, []string{"x", "y", "z"}) {
		t.Errorf("tags %q", tags)
	}
	w.expectCalls(map[string]int{"ListImages": 1})
}

// TestReferrersLink pages through the referrers API of a registry.
func TestReferrersLink(t *testing.T) {
	n := newNeutralRegistry(t)
	page := func(d Descriptor) []byte {
		data, err := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []Descriptor{d}})
		check(t, err)
		return data
	}
	a, b := blobOf("a", ocispec.MediaTypeImageManifest), blobOf("b", ocispec.MediaTypeImageManifest)
	a.ArtifactType, b.ArtifactType = "application/vnd.example.signature", "application/vnd.example.signature"
	n.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return false
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		if r.URL.Query().Get("token") == "2" {
			_, _ = w.Write(page(b))
			return true
		}
		w.Header().Set("Link", "<"+r.URL.Path+`?token=2>; rel="next"`)
		_, _ = w.Write(page(a))
		return true
	})
	expectReferrers(t, "pages", n.repository("app"), digest.FromString("x"), []Descriptor{a, b})

	n.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		fmt.Fprint(w, `{"manifests":[{"digest":"../../etc/passwd","size":1}]}`)
		return strings.Contains(r.URL.Path, "/referrers/")
	})
	if _, err := n.repository("app").Referrers(t.Context(), digest.FromString("x")); !errors.Is(err, ErrIntegrity) {
		t.Errorf("got %v", err)
	}
}

// TestReferrersConcurrent has several writers keep one list by a tag.
func TestReferrersConcurrent(t *testing.T) {
	n := newNeutralRegistry(t)
	src, image := newImage(t, 1000)
	mustCopy(t, NewLayout(src), n.repository("app"), Options{Reference: "x", Tags: []string{"x"}})
	m, err := n.repository("app").Resolve(t.Context(), "x")
	check(t, err)
	config := blobOf("{}", "application/vnd.oci.empty.v1+json")
	check(t, n.repository("app").PutBlob(t.Context(), config, strings.NewReader("{}")))
	var (
		want []Descriptor
		wait sync.WaitGroup
	)
	for i := range 4 {
		r := referrer(t, m.Descriptor, config, fmt.Sprint(i))
		want = append(want, r.Descriptor)
		repository := n.repository("app")
		wait.Go(func() {
			if err := repository.PutManifest(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	expectReferrers(t, "tag", n.repository("app"), digestOf(t, image), want)
}

// TestReferrersImmutable has a registry that neither lists referrers nor lets the tag
// move by which clients list them.
func TestReferrersImmutable(t *testing.T) {
	n := newNeutralRegistry(t)
	src, image := newImage(t, 1000)
	mustCopy(t, NewLayout(src), n.repository("app"), Options{Reference: "x", Tags: []string{"x"}})
	m, err := n.repository("app").Resolve(t.Context(), "x")
	check(t, err)
	want := attach(t, n.repository("app"), m.Descriptor, 1)
	n.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/manifests/"+DigestTag(m.Descriptor.Digest, DigestTagReferrers)) {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"errors":[{"code":"TAG_INVALID","message":"the tag is immutable"}]}`)
		return true
	})
	config := blobOf("{}", "application/vnd.oci.empty.v1+json")
	err = n.repository("app").PutManifest(t.Context(), referrer(t, m.Descriptor, config, "second"))
	if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "sha256-*") {
		t.Errorf("got %v", err)
	}
	expectReferrers(t, "tag", n.repository("app"), digestOf(t, image), want)
}

func FuzzDecodeReferrers(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:` + strings.Repeat("0", 64) + `","size":3}]}`))
	f.Add([]byte(`{"manifests":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := decodeReferrers(data)
		for _, d := range list {
			if err == nil && checkDescriptor(d) != nil {
				t.Errorf("%v", d)
			}
		}
	})
}

func FuzzNextLink(f *testing.F) {
	f.Add(`</v2/app/tags/list?last=b&n=2>; rel="next"`)
	f.Add(`<a>; rel=prev, <b>; foo; REL="last next"`)
	f.Add(`<<>>;,=`)
	f.Fuzz(func(t *testing.T, link string) {
		if got := nextLink(http.Header{"Link": {link}}); got != "" && !strings.Contains(link, "<"+got+">") {
			t.Errorf("%q gives %q", link, got)
		}
	})
}
