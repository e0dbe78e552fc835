package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestReferrers carries referrers, and one of a referrer, through all endpoints.
func TestReferrers(t *testing.T) {
	src, image := fixture.NewImage(t, 1000)
	dir := layout.New(src)
	m, err := dir.Resolve(fixture.Context(t), "x")
	fixture.Check(t, err)
	subject := fixture.DigestOf(t, image)
	fixture.ExpectReferrers(t, "before", dir, subject, nil)
	want := fixture.Attach(t, dir, m.Descriptor, 3)
	nested := fixture.Attach(t, dir, want[0], 1)
	fixture.ExpectReferrers(t, "layout", dir, subject, want)
	fixture.ValidateLayout(t, src)

	w := newWorld(t, localecr.Options{})
	with, without := newNeutralRegistry(t, registry.WithReferrersSupport(true)), newNeutralRegistry(t)
	type endpoint interface {
		content.Source
		content.Target
		content.ReferrerLister
		content.TagLister
	}
	var from endpoint = dir
	for _, to := range []struct {
		name string
		endpoint
	}{
		{"ECR", w.repository("app")},
		{"registry with the API", with.repository("app")},
		{"registry without the API", without.repository("app")},
		{"ECR again", w.v2Repository("app")},
		{"ECR's /v2/", w.v2Registry("app")},
		{"layout again", layout.New(filepath.Join(t.TempDir(), "dst"))},
	} {
		if _, err := transfer.Copy(fixture.Context(t), from, to.endpoint, transfer.Options{Reference: "x", Tags: []string{"x"}, Referrers: true}); err != nil {
			t.Fatalf("%s: %v", to.name, err)
		}
		fixture.ExpectReferrers(t, to.name, to, subject, want)
		fixture.ExpectReferrers(t, to.name, to, want[0].Digest, nested)
		fixture.ExpectReferrers(t, to.name, to, digest.FromString("nothing"), nil)
		listed, err := to.Referrers(fixture.Context(t), subject)
		fixture.Check(t, err)
		for _, d := range listed {
			// Code that is not ours keeps the list of the registry with the API.
			if to.name != "registry with the API" && (d.ArtifactType != "application/vnd.example.signature" || d.Annotations["name"] == "") {
				t.Errorf("%s: listed as %q with %v", to.name, d.ArtifactType, d.Annotations)
			}
		}
		from = to.endpoint
	}

	// A layout with one image and its signatures has one image.
	last, err := from.Resolve(fixture.Context(t), "")
	fixture.Check(t, err)
	if last.Descriptor.Digest != subject {
		t.Errorf("the only image is %s", last.Descriptor.Digest)
	}
	tags, err := from.Tags(fixture.Context(t))
	fixture.Check(t, err)
	if !slices.Equal(tags, []string{"x"}) {
		t.Errorf("tags %q", tags)
	}
}

// TestReferrersFalse has a registry that lists another image as what refers to this one:
// it does not come along, and what is attached to it at the destination stays.
func TestReferrersFalse(t *testing.T) {
	n := newNeutralRegistry(t, registry.WithReferrersSupport(true))
	put := func(repository, tag string) content.Manifest {
		src, _ := fixture.NewImage(t, 1000)
		m, err := layout.New(src).Resolve(fixture.Context(t), "x")
		fixture.Check(t, err)
		mustCopy(t, layout.New(src), n.repository(repository), transfer.Options{Reference: "x", Tags: []string{tag}})
		return m
	}
	image, other := put("evil", "1"), put("evil", "2")
	mustCopy(t, n.repository("evil"), n.repository("app"), transfer.Options{Reference: "2", Tags: []string{"2"}})
	sbom := content.DigestTag(other.Descriptor.Digest, content.DigestTagSBOM)
	good, bad := put("app", sbom), put("evil", sbom)
	real := fixture.Attach(t, n.repository("evil"), image.Descriptor, 1)
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v2/evil/referrers/"+string(image.Descriptor.Digest) {
			return false
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		fixture.Check(t, json.NewEncoder(w).Encode(ocispec.Index{
			Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []content.Descriptor{other.Descriptor, bad.Descriptor, real[0]},
		}))
		return true
	})
	dst := n.repository("app")
	mustCopy(t, n.repository("evil"), dst, transfer.Options{Reference: "1", Tags: []string{"1"}, Referrers: true})
	fixture.ExpectReferrers(t, "destination", dst, image.Descriptor.Digest, real)
	m, err := dst.Resolve(fixture.Context(t), sbom)
	fixture.Check(t, err)
	if m.Descriptor.Digest != good.Descriptor.Digest {
		t.Error("the bill of materials of another image was replaced")
	}
	if _, err := dst.Resolve(fixture.Context(t), string(bad.Descriptor.Digest)); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("what refers to nothing came along: %v", err)
	}
}

// TestReferrersLink pages through the referrers API of a registry, behind a proxy that adds a parameter to media types.
func TestReferrersLink(t *testing.T) {
	n := newNeutralRegistry(t)
	page := func(d content.Descriptor) []byte {
		data, err := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []content.Descriptor{d}})
		fixture.Check(t, err)
		return data
	}
	a, b := fixture.BlobOf("a", ocispec.MediaTypeImageManifest), fixture.BlobOf("b", ocispec.MediaTypeImageManifest)
	a.ArtifactType, b.ArtifactType = "application/vnd.example.signature", "application/vnd.example.signature"
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return false
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex+"; charset=utf-8")
		if r.URL.Query().Get("token") == "2" {
			_, _ = w.Write(page(b))
			return true
		}
		w.Header().Set("Link", "<"+r.URL.Path+`?token=2>; rel="next"`)
		_, _ = w.Write(page(a))
		return true
	})
	fixture.ExpectReferrers(t, "pages", n.repository("app"), digest.FromString("x"), []content.Descriptor{a, b})

	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		fmt.Fprint(w, `{"schemaVersion":2,"manifests":[{"digest":"../../etc/passwd","size":1}]}`)
		return strings.Contains(r.URL.Path, "/referrers/")
	})
	if _, err := n.repository("app").Referrers(fixture.Context(t), digest.FromString("x")); !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("got %v", err)
	}
}

// TestReferrersLarge has a list of more manifests than are held in memory: none is read.
func TestReferrersLarge(t *testing.T) {
	n := newNeutralRegistry(t)
	src, _ := fixture.NewImage(t, 1000)
	mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"x"}})
	list := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}}
	for i := range imagetree.MaxTreeBytes/content.MaxManifestSize + 1 {
		d := fixture.BlobOf(fmt.Sprint(i), ocispec.MediaTypeImageManifest)
		d.Size = content.MaxManifestSize
		list.Manifests = append(list.Manifests, d)
	}
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return false
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		fixture.Check(t, json.NewEncoder(w).Encode(list))
		return true
	})
	n.Count("")
	_, err := transfer.Copy(fixture.Context(t), n.repository("app"), layout.New(t.TempDir()), transfer.Options{Reference: "x", Referrers: true})
	if !errors.Is(err, content.ErrUnsupported) || n.Count("GET /v2/app/manifests/sha256:") != 0 {
		t.Errorf("got %v", err)
	}
}

// TestReferrersEndless has a registry whose list never ends, with few entries and large
// ones: it is not held in memory.
func TestReferrersEndless(t *testing.T) {
	n := newNeutralRegistry(t)
	const limit = 1 << 20
	repository := n.repository("app")
	if repository.maxReferrerBytes != v2.MaxListBytes {
		t.Errorf("%d bytes are read, want %d", repository.maxReferrerBytes, v2.MaxListBytes)
	}
	repository.maxReferrerBytes = limit // decoding more takes seconds with the race detector
	d := fixture.BlobOf("a", ocispec.MediaTypeImageManifest)
	d.Annotations = map[string]string{"x": strings.Repeat("y", limit/4)}
	page, err := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []content.Descriptor{d}})
	fixture.Check(t, err)
	var pages atomic.Int64
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		w.Header().Set("Link", fmt.Sprintf(`<%s?page=%d>; rel="next"`, r.URL.Path, pages.Add(1)))
		_, _ = w.Write(page)
		return true
	})
	if _, err := repository.Referrers(fixture.Context(t), digest.FromString("x")); !errors.Is(err, content.ErrUnsupported) || pages.Load() > 10 {
		t.Errorf("after %d pages: %v", pages.Load(), err)
	}
}

// TestReferrersRefusals has a registry and Amazon ECR say anything but what refers to
// an image: that is never an empty list.
func TestReferrersRefusals(t *testing.T) {
	n := newNeutralRegistry(t)
	src, image := fixture.NewImage(t, 1000)
	mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"x"}})
	empty := `{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[]}`
	type answer struct {
		status     int
		typ, body  string
		isNoneHere bool // it may be taken for a registry without the API, or with an empty list
	}
	answers := map[string]answer{
		"empty":             {200, ocispec.MediaTypeImageIndex, empty, true},
		"no API":            {404, "text/plain", "404 page not found", true},
		"not for manifests": {405, "application/json", `{"errors":[{"code":"UNSUPPORTED"}]}`, true},
		"unsupported":       {400, "application/json", `{"errors":[{"code":"UNSUPPORTED"}]}`, true},
		"bad request":       {400, "application/json", `{"errors":[{"code":"NAME_INVALID"}]}`, false},
		"unauthorized":      {401, "application/json", `{"errors":[{"code":"UNSUPPORTED"}]}`, false},
		"forbidden":         {403, "application/json", `{"errors":[{"code":"DENIED"}]}`, false},
		"forbidden, unsure": {403, "application/json", `{"errors":[{"code":"UNSUPPORTED"}]}`, false},
		"too many":          {429, "application/json", `{"errors":[{"code":"TOOMANYREQUESTS"}]}`, false},
		"broken":            {500, "text/html", "sorry", false},
		"status 501":        {501, "application/json", `{"errors":[{"code":"UNSUPPORTED"}]}`, false},
		"unavailable":       {503, "text/html", "sorry", false},
		"redirect":          {302, "text/html", "log in", false},
		"page":              {200, "text/html", "<html>log in</html>", false},
		"page of JSON":      {200, "application/json", empty, false},
		"no document":       {200, ocispec.MediaTypeImageIndex, "", false},
		"null":              {200, ocispec.MediaTypeImageIndex, "null", false},
		"object":            {200, ocispec.MediaTypeImageIndex, "{}", false},
		"image":             {200, ocispec.MediaTypeImageIndex, `{"schemaVersion":2,"config":{}}`, false},
		"other type":        {200, ocispec.MediaTypeImageIndex, `{"schemaVersion":2,"mediaType":"a/b","manifests":[]}`, false},
		"cut off":           {200, ocispec.MediaTypeImageIndex, empty[:len(empty)-1], false},
	}
	for name, a := range answers {
		t.Run(name, func(t *testing.T) {
			listed := 0 // by the tag
			n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, "/manifests/sha256-") && !strings.Contains(r.URL.Path, ".") {
					listed++
				}
				if !strings.Contains(r.URL.Path, "/referrers/") {
					return false
				}
				w.Header().Set("Content-Type", a.typ)
				w.Header().Set("Location", "/login")
				w.Header().Set("Retry-After", "86400") // so that it is not tried again
				w.WriteHeader(a.status)
				fmt.Fprint(w, a.body)
				return true
			})
			got, err := n.repository("app").Referrers(fixture.Context(t), fixture.DigestOf(t, image))
			if (err == nil) != a.isNoneHere || errors.Is(err, content.ErrNotFound) || len(got) > 0 {
				t.Errorf("%v, %v", got, err)
			}
			if (listed > 0) != (a.isNoneHere && a.status != 200) {
				t.Errorf("the tag was read %d times", listed)
			}
			dst := layout.New(filepath.Join(t.TempDir(), "dst"))
			_, err = transfer.Copy(fixture.Context(t), n.repository("app"), dst, transfer.Options{Reference: "x", Tags: []string{"x"}, Referrers: true})
			if (err == nil) != a.isNoneHere {
				t.Errorf("the copy: %v", err)
			}
		})
	}
	// The list by a tag must be one, too.
	tag := content.DigestTag(fixture.DigestOf(t, image), content.DigestTagReferrers)
	n.Intercept(nil)
	src, _ = fixture.NewImage(t, 2000)
	mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"other", tag}})
	if _, err := n.repository("app").Referrers(fixture.Context(t), fixture.DigestOf(t, image)); !errors.Is(err, content.ErrProtocol) {
		t.Errorf("an image as a list: %v", err)
	}
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/manifests/"+tag) {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	if _, err := n.repository("app").Referrers(fixture.Context(t), fixture.DigestOf(t, image)); err == nil || errors.Is(err, content.ErrNotFound) {
		t.Errorf("a list that is refused: %v", err)
	}
}

// TestReferrersConcurrent has several writers keep one list by a tag.
func TestReferrersConcurrent(t *testing.T) {
	n := newNeutralRegistry(t)
	src, image := fixture.NewImage(t, 1000)
	mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"x"}})
	m, err := n.repository("app").Resolve(fixture.Context(t), "x")
	fixture.Check(t, err)
	config := fixture.BlobOf("{}", "application/vnd.oci.empty.v1+json")
	fixture.Check(t, n.repository("app").PutBlob(fixture.Context(t), config, strings.NewReader("{}")))
	var (
		want []content.Descriptor
		wait sync.WaitGroup
	)
	for i := range 3 {
		r := fixture.Referrer(t, m.Descriptor, config, fmt.Sprint(i))
		want = append(want, r.Descriptor)
		repository := n.repository("app")
		repository.referrerPause = 3 * time.Second // longer than any of them is held up
		wait.Go(func() {
			if err := repository.PutManifest(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	fixture.ExpectReferrers(t, "tag", n.repository("app"), fixture.DigestOf(t, image), want)
}

// TestReferrersImmutable has a registry that neither lists referrers nor lets the tag
// move by which clients list them.
func TestReferrersImmutable(t *testing.T) {
	n := newNeutralRegistry(t)
	src, image := fixture.NewImage(t, 1000)
	mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"x"}})
	m, err := n.repository("app").Resolve(fixture.Context(t), "x")
	fixture.Check(t, err)
	want := fixture.Attach(t, n.repository("app"), m.Descriptor, 1)
	n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/manifests/"+content.DigestTag(m.Descriptor.Digest, content.DigestTagReferrers)) {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"errors":[{"code":"TAG_INVALID","message":"the tag is immutable"}]}`)
		return true
	})
	config := fixture.BlobOf("{}", "application/vnd.oci.empty.v1+json")
	err = n.repository("app").PutManifest(fixture.Context(t), fixture.Referrer(t, m.Descriptor, config, "second"))
	if !errors.Is(err, content.ErrConflict) || !strings.Contains(err.Error(), "sha256-*") {
		t.Errorf("got %v", err)
	}
	fixture.ExpectReferrers(t, "tag", n.repository("app"), fixture.DigestOf(t, image), want)
}

// TestReferrersTagOfImage has the tag of a list that is the image's own, as cosign copy leaves it: nothing is listed yet,
// and the tag is not taken from the image.
func TestReferrersTagOfImage(t *testing.T) {
	t.Parallel()
	n := newNeutralRegistry(t)
	src, image := fixture.NewImage(t, 1000)
	subject := fixture.DigestOf(t, image)
	tag := content.DigestTag(subject, content.DigestTagReferrers)
	mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"x", tag}})
	fixture.ExpectReferrers(t, "registry", n.repository("app"), subject, nil)
	dir := layout.New(filepath.Join(t.TempDir(), "dst"))
	mustCopy(t, n.repository("app"), dir, transfer.Options{Reference: "x", Tags: []string{"x", tag}, Referrers: true})
	fixture.ExpectReferrers(t, "layout", dir, subject, nil)

	m, err := n.repository("app").Resolve(fixture.Context(t), "x")
	fixture.Check(t, err)
	config := fixture.BlobOf("{}", "application/vnd.oci.empty.v1+json")
	fixture.Check(t, n.repository("app").PutBlob(fixture.Context(t), config, strings.NewReader("{}")))
	err = n.repository("app").PutManifest(fixture.Context(t), fixture.Referrer(t, m.Descriptor, config, "one"))
	if !errors.Is(err, content.ErrConflict) || !strings.Contains(err.Error(), "the tag "+tag+", ") {
		t.Errorf("got %v", err)
	}
	if m, err = n.repository("app").Resolve(fixture.Context(t), tag); err != nil || m.Descriptor.Digest != subject {
		t.Errorf("the tag names %s, %v", m.Descriptor.Digest, err)
	}
}

// TestReferrerOfWrongSize has a list that says another size of a referrer than it has: the error names
// the list and both sizes.
func TestReferrerOfWrongSize(t *testing.T) {
	src, _ := fixture.NewImage(t, 1000)
	n := newNeutralRegistry(t, registry.WithReferrersSupport(true))
	mustCopy(t, layout.New(src), n.repository("app"), transfer.Options{Reference: "x", Tags: []string{"x"}})
	image, err := n.repository("app").Resolve(fixture.Context(t), "x")
	fixture.Check(t, err)
	listed := fixture.Attach(t, n.repository("app"), image.Descriptor, 1)[0]
	size := listed.Size
	for _, wrong := range []int64{1, size - 1, size + 1} {
		listed.Size = wrong
		n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/referrers/"+string(image.Descriptor.Digest)) {
				return false
			}
			w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
			fixture.Check(t, json.NewEncoder(w).Encode(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []content.Descriptor{listed}}))
			return true
		})
		_, err = transfer.Copy(fixture.Context(t), n.repository("app"), layout.New(filepath.Join(t.TempDir(), "d")), transfer.Options{Reference: "x", Referrers: true})
		want := fmt.Sprintf("manifest %s has %d bytes, its descriptor says %d, in the list of referrers of %s", listed.Digest, size, wrong, image.Descriptor.Digest)
		if !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
