package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
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
		listed, err := to.Referrers(t.Context(), subject)
		check(t, err)
		for _, d := range listed {
			// Code that is not ours keeps the list of the registry with the API.
			if to.name != "registry with the API" && (d.ArtifactType != "application/vnd.example.signature" || d.Annotations["name"] == "") {
				t.Errorf("%s: listed as %q with %v", to.name, d.ArtifactType, d.Annotations)
			}
		}
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

// TestReferrersFalse has a registry that lists another image as what refers to this one:
// it does not come along, and what is attached to it at the destination stays.
func TestReferrersFalse(t *testing.T) {
	n := newNeutralRegistry(t, registry.WithReferrersSupport(true))
	put := func(repository, tag string) Manifest {
		src, _ := newImage(t, 1000)
		m, err := NewLayout(src).Resolve(t.Context(), "x")
		check(t, err)
		mustCopy(t, NewLayout(src), n.repository(repository), Options{Reference: "x", Tags: []string{tag}})
		return m
	}
	image, other := put("evil", "1"), put("evil", "2")
	mustCopy(t, n.repository("evil"), n.repository("app"), Options{Reference: "2", Tags: []string{"2"}})
	sbom := DigestTag(other.Descriptor.Digest, DigestTagSBOM)
	good, bad := put("app", sbom), put("evil", sbom)
	real := attach(t, n.repository("evil"), image.Descriptor, 1)
	n.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v2/evil/referrers/"+string(image.Descriptor.Digest) {
			return false
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		check(t, json.NewEncoder(w).Encode(ocispec.Index{
			Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []Descriptor{other.Descriptor, bad.Descriptor, real[0]},
		}))
		return true
	})
	dst := n.repository("app")
	mustCopy(t, n.repository("evil"), dst, Options{Reference: "1", Tags: []string{"1"}, Referrers: true})
	expectReferrers(t, "destination", dst, image.Descriptor.Digest, real)
	m, err := dst.Resolve(t.Context(), sbom)
	check(t, err)
	if m.Descriptor.Digest != good.Descriptor.Digest {
		t.Error("the bill of materials of another image was replaced")
	}
	if _, err := dst.Resolve(t.Context(), string(bad.Descriptor.Digest)); !errors.Is(err, ErrNotFound) {
		t.Errorf("what refers to nothing came along: %v", err)
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
	for limit, enough := range map[int64]bool{totalSize(want): true, totalSize(want) - 1: false} {
		if err := w.repository("app").readSizes(t.Context(), slices.Clone(want), limit); (err == nil) != enough || err != nil && !errors.Is(err, ErrUnsupported) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
	w.calls.Reset()

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
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		fmt.Fprint(w, `{"schemaVersion":2,"manifests":[{"digest":"../../etc/passwd","size":1}]}`)
		return strings.Contains(r.URL.Path, "/referrers/")
	})
	if _, err := n.repository("app").Referrers(t.Context(), digest.FromString("x")); !errors.Is(err, ErrIntegrity) {
		t.Errorf("got %v", err)
	}
}

// TestReferrersLarge has a list of more manifests than are held in memory: none is read.
func TestReferrersLarge(t *testing.T) {
	n := newNeutralRegistry(t)
	src, _ := newImage(t, 1000)
	mustCopy(t, NewLayout(src), n.repository("app"), Options{Reference: "x", Tags: []string{"x"}})
	list := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}}
	for i := range maxGraphBytes/MaxManifestSize + 1 {
		d := blobOf(fmt.Sprint(i), ocispec.MediaTypeImageManifest)
		d.Size = MaxManifestSize
		list.Manifests = append(list.Manifests, d)
	}
	n.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return false
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		check(t, json.NewEncoder(w).Encode(list))
		return true
	})
	n.count("")
	_, err := Copy(t.Context(), n.repository("app"), NewLayout(t.TempDir()), Options{Reference: "x", Referrers: true})
	if !errors.Is(err, ErrUnsupported) || n.count("GET /v2/app/manifests/sha256:") != 0 {
		t.Errorf("got %v", err)
	}
}

// TestReferrersEndless has a registry whose list never ends, with few entries and large
// ones: it is not held in memory.
func TestReferrersEndless(t *testing.T) {
	n := newNeutralRegistry(t)
	d := blobOf("a", ocispec.MediaTypeImageManifest)
	d.Annotations = map[string]string{"x": strings.Repeat("y", maxListBytes/4)}
	page, err := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []Descriptor{d}})
	check(t, err)
	var pages atomic.Int64
	n.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		w.Header().Set("Link", fmt.Sprintf(`<%s?page=%d>; rel="next"`, r.URL.Path, pages.Add(1)))
		_, _ = w.Write(page)
		return true
	})
	if _, err := n.repository("app").Referrers(t.Context(), digest.FromString("x")); !errors.Is(err, ErrUnsupported) || pages.Load() > 10 {
		t.Errorf("after %d pages: %v", pages.Load(), err)
	}
}

// TestReferrersRefusals has a registry and Amazon ECR say anything but what refers to
// an image: that is never an empty list.
func TestReferrersRefusals(t *testing.T) {
	n := newNeutralRegistry(t)
	src, image := newImage(t, 1000)
	mustCopy(t, NewLayout(src), n.repository("app"), Options{Reference: "x", Tags: []string{"x"}})
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
			n.intercept(func(w http.ResponseWriter, r *http.Request) bool {
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
			got, err := n.repository("app").Referrers(t.Context(), digestOf(t, image))
			if (err == nil) != a.isNoneHere || errors.Is(err, ErrNotFound) || len(got) > 0 {
				t.Errorf("%v, %v", got, err)
			}
			if (listed > 0) != (a.isNoneHere && a.status != 200) {
				t.Errorf("the tag was read %d times", listed)
			}
			dst := NewLayout(filepath.Join(t.TempDir(), "dst"))
			_, err = Copy(t.Context(), n.repository("app"), dst, Options{Reference: "x", Tags: []string{"x"}, Referrers: true})
			if (err == nil) != a.isNoneHere {
				t.Errorf("the copy: %v", err)
			}
		})
	}
	// The list by a tag must be one, too.
	tag := DigestTag(digestOf(t, image), DigestTagReferrers)
	n.intercept(nil)
	m, err := n.repository("app").Resolve(t.Context(), "x")
	check(t, err)
	check(t, n.repository("app").PutTagged(t.Context(), m, tag))
	if _, err := n.repository("app").Referrers(t.Context(), digestOf(t, image)); !errors.Is(err, errProtocol) {
		t.Errorf("an image as a list: %v", err)
	}
	n.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/manifests/"+tag) {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	if _, err := n.repository("app").Referrers(t.Context(), digestOf(t, image)); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("a list that is refused: %v", err)
	}
}

// answeredECR answers calls of one operation itself, with each body once; a body that
// begins with "!" is a refusal.
type answeredECR struct {
	next   http.RoundTripper
	op     string
	bodies []string
}

func (a *answeredECR) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+a.op) || len(a.bodies) == 0 {
		return a.next.RoundTrip(r)
	}
	body, refused := strings.CutPrefix(a.bodies[0], "!")
	a.bodies = a.bodies[1:]
	status := http.StatusOK
	if refused {
		status = http.StatusBadRequest
	}
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}, nil
}

// A page without referrers need not be the last one, and a refusal is none.
func TestReferrersOfECR(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, image := newImage(t, 1000)
	mustCopy(t, NewLayout(src), w.repository("app"), Options{Reference: "x", Tags: []string{"x"}})
	m, err := w.repository("app").Resolve(t.Context(), "x")
	check(t, err)
	want := attach(t, w.repository("app"), m.Descriptor, 1)
	answered := &answeredECR{next: http.DefaultTransport, op: "ListImageReferrers"}
	w.cfg.HTTPClient = &http.Client{Transport: answered}
	entry := fmt.Sprintf(`{"digest":%q,"mediaType":%q,"artifactType":"a/b","size":1}`, want[0].Digest, want[0].MediaType)
	answered.bodies = []string{`{"referrers":[],"nextToken":"a"}`, `{"referrers":[` + entry + `],"nextToken":"b"}`, `{"referrers":[]}`}
	expectReferrers(t, "pages", w.repository("app"), digestOf(t, image), want)
	if len(answered.bodies) != 0 {
		t.Errorf("%d pages were not asked for", len(answered.bodies))
	}
	for _, code := range []string{"AccessDeniedException", "RepositoryNotFoundException", "UnableToListUpstreamImageReferrersException", "InvalidParameterException", "ValidationException"} {
		answered.bodies = []string{`!{"__type":"` + code + `","message":"no"}`}
		if got, err := w.repository("app").Referrers(t.Context(), digestOf(t, image)); err == nil {
			t.Errorf("%s: %v", code, got)
		}
	}
	// What the list names and the repository has not is no shorter list.
	answered.bodies = []string{`{"referrers":[` + strings.Replace(entry, string(want[0].Digest), someSHA, 1) + `]}`}
	if got, err := w.repository("app").Referrers(t.Context(), digestOf(t, image)); err == nil {
		t.Errorf("a referrer that is not there: %v", got)
	}
	// Nor is silence about a tag that nothing has it.
	answered.op, answered.bodies = "BatchGetImage", []string{`{"images":[],"failures":[]}`}
	if got, err := w.repository("app").findTags(t.Context(), []string{"x"}); err == nil {
		t.Errorf("no answer about a tag: %v", got)
	}
	answered.bodies = []string{`{"images":[],"failures":[{"imageId":{"imageTag":"x"},"failureCode":"KmsError","failureReason":"no key"}]}`}
	if got, err := w.repository("app").findTags(t.Context(), []string{"x"}); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("a failure of a tag: %v, %v", got, err)
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
	for i := range 3 {
		r := referrer(t, m.Descriptor, config, fmt.Sprint(i))
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

// Several processes attach to an image in one layout: all of it is found, also what
// clients list by a tag as in a registry, and the image is the only one.
func TestReferrersOfLayout(t *testing.T) {
	dir, image := newImage(t, 1000)
	m, err := NewLayout(dir).Resolve(t.Context(), "")
	check(t, err)
	config := blobOf("{}", "application/vnd.oci.empty.v1+json")
	check(t, NewLayout(dir).PutBlob(t.Context(), config, strings.NewReader("{}")))
	tag := DigestTag(digestOf(t, image), DigestTagSignatures)
	var (
		want []Descriptor
		wait sync.WaitGroup
	)
	for i := range 8 {
		r := referrer(t, m.Descriptor, config, fmt.Sprint(i))
		want = append(want, r.Descriptor)
		wait.Go(func() {
			if err := NewLayout(dir).PutManifest(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
		wait.Go(func() {
			if err := NewLayout(dir).PutTagged(t.Context(), signatures(t, NewLayout(dir), sigLayer(fmt.Sprint(i))), tag); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	expectReferrers(t, "layout", NewLayout(dir), digestOf(t, image), want)
	if signers := signersAt(t, NewLayout(dir), tag); len(signers) != 1 {
		t.Errorf("signed by %q", signers)
	}
	expectOnly := func(l Resolver) {
		t.Helper()
		if only, err := l.Resolve(t.Context(), ""); err != nil || only.Descriptor.Digest != digestOf(t, image) {
			t.Errorf("the only image is %s, %v", only.Descriptor.Digest, err)
		}
	}
	expectOnly(NewLayout(dir))

	// A list by a tag, of manifests that index.json does not name.
	other, image := newImage(t, 1000)
	layout := NewLayout(other)
	m, err = layout.Resolve(t.Context(), "x")
	check(t, err)
	check(t, layout.PutBlob(t.Context(), config, strings.NewReader("{}")))
	r, stranger := referrer(t, m.Descriptor, config, "r"), referrer(t, want[0], config, "of another")
	list := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []Descriptor{r.Descriptor, stranger.Descriptor}}
	content, err := json.Marshal(list)
	check(t, err)
	for _, m := range []Manifest{r, stranger} {
		check(t, layout.putManifest(t.Context(), m))
	}
	check(t, layout.PutTagged(t.Context(), Manifest{Descriptor: blobOf(string(content), ocispec.MediaTypeImageIndex), Content: content}, DigestTag(m.Descriptor.Digest, DigestTagReferrers)))
	expectReferrers(t, "listed by a tag", layout, m.Descriptor.Digest, []Descriptor{r.Descriptor})
	expectOnly(layout)
	archive := filepath.Join(t.TempDir(), "a.tar")
	target := NewArchiveTarget(archive, ArchiveTargetOptions{})
	mustCopy(t, layout, target, Options{Reference: "x", Tags: []string{"x"}, Referrers: true})
	check(t, target.Close())
	a, err := OpenArchive(t.Context(), archive, t.TempDir())
	check(t, err)
	defer a.Close()
	expectReferrers(t, "archive", a, m.Descriptor.Digest, []Descriptor{r.Descriptor})
	expectOnly(a)

	// A damaged manifest may be a signature.
	check(t, os.WriteFile(blobFile(dir, want[3].Digest), []byte(strings.Repeat(" ", int(want[3].Size))), 0o666))
	if got, err := NewLayout(dir).Referrers(t.Context(), digestOf(t, image)); !errors.Is(err, ErrIntegrity) {
		t.Errorf("%v, %v", got, err)
	}
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
