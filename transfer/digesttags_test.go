package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/localecr"
)

const simpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"

// sigLayer is a layer as cosign writes it: the payload is the same for all who sign.
func sigLayer(signer string) Descriptor {
	d := blobOf("payload", simpleSigning)
	d.Annotations = map[string]string{"dev.cosignproject.cosign/signature": signer}
	return d
}

// signatures is an image with these layers, whose blobs are stored in dst.
func signatures(t *testing.T, dst Target, layers ...Descriptor) Manifest {
	t.Helper()
	check(t, dst.PutBlob(t.Context(), blobOf("payload", simpleSigning), strings.NewReader("payload")))
	config := fmt.Sprintf(`{"history":%d}`, len(layers))
	check(t, dst.PutBlob(t.Context(), blobOf(config, ""), strings.NewReader(config)))
	content, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: blobOf(config, ocispec.MediaTypeImageConfig), Layers: layers,
	})
	check(t, err)
	return Manifest{Descriptor: blobOf(string(content), ocispec.MediaTypeImageManifest), Content: content}
}

// signersAt gives who signed an image, by its tag made of its digest.
func signersAt(t *testing.T, src Source, tag string) (signers []string) {
	t.Helper()
	m, err := src.Resolve(t.Context(), tag)
	check(t, err)
	g, err := readTree(t.Context(), src, m, false)
	check(t, err)
	for _, b := range g.Blobs {
		content, err := src.Blob(t.Context(), b)
		check(t, err)
		if _, err := readAll(newVerifier(t.Context(), content, b), b.Size); err != nil {
			t.Errorf("%s: %v", tag, err)
		}
		content.Close()
	}
	var doc ocispec.Manifest
	check(t, json.Unmarshal(m.Content, &doc))
	for _, l := range doc.Layers {
		signers = append(signers, l.Annotations["dev.cosignproject.cosign/signature"])
	}
	return signers
}

func TestParseDigestTag(t *testing.T) {
	hex := strings.Repeat("0a", 32)
	for tag, want := range map[string]string{
		"sha256-" + hex: DigestTagReferrers, "sha256-" + hex + ".sig": "sig", "sha256-" + hex + ".att": "att", "sha256-" + hex + ".sbom": "sbom",
		"sha256-" + hex + ".sigs": "none", "sha256-" + hex[1:] + ".sig": "none", "sha256:" + hex: "none", "v1": "none", "": "none", "sha256-" + hex + ".": "none",
	} {
		subject, kind, ok := ParseDigestTag(tag)
		if !ok {
			kind = "none"
		}
		if kind != want || ok && (DigestTag(subject, kind) != tag || subject != digest.Digest("sha256:"+hex)) {
			t.Errorf("%q: %q %q", tag, subject, kind)
		}
	}
}

// What is attached to an index and its images by tags goes with it, from and to
// everything, and a layout with one image and what belongs to it has one image.
func TestAttached(t *testing.T) {
	dir, _, _ := newFixture(t, 1)
	src := NewLayout(dir)
	root, err := src.Resolve(t.Context(), "index")
	check(t, err)
	g, err := readTree(t.Context(), src, root, false)
	check(t, err)
	child := g.Manifests[0].Descriptor.Digest
	sbom := signatures(t, src, blobOf("payload", "text/spdx"))
	want := map[string]Manifest{
		DigestTag(root.Descriptor.Digest, "sig"): signatures(t, src, sigLayer("a")),
		DigestTag(child, "sig"):                  signatures(t, src, sigLayer("a"), sigLayer("b")),
		DigestTag(child, "att"):                  signatures(t, src, blobOf("payload", "application/vnd.dsse.envelope.v1+json")),
		DigestTag(child, "sbom"):                 sbom,
		DigestTag(sbom.Descriptor.Digest, "sig"): signatures(t, src, sigLayer("c")), // of the bill of materials
	}
	for tag, m := range want {
		check(t, src.PutTagged(t.Context(), m, tag))
	}
	stray := DigestTag(digest.FromString("another image"), "sig")
	check(t, src.PutTagged(t.Context(), signatures(t, src, sigLayer("stray")), stray))
	referring := attach(t, src, g.Manifests[1].Descriptor, 2) // of a child

	w := newWorld(t, localecr.Options{})
	with, without := newNeutralRegistry(t, registry.WithReferrersSupport(true)), newNeutralRegistry(t)
	archive := filepath.Join(t.TempDir(), "a.tar")
	var from Source = src
	for _, to := range []Target{
		w.repository("app"), with.repository("app"), without.repository("app"), w.v2Registry("app"),
		NewLayout(filepath.Join(t.TempDir(), "dst")), NewArchiveTarget(archive, ArchiveTargetOptions{}),
	} {
		reference := "x"
		if from == Source(src) {
			reference = "index"
		}
		opts := Options{Reference: reference, Tags: []string{"x"}, Referrers: true}
		planned := Preview(t.Context(), from, []Destination{{Target: to, Tags: []string{"x"}}}, opts)
		check(t, planned[0].Err)
		w.calls.Reset()
		if _, err := Copy(t.Context(), from, to, opts); err != nil {
			t.Fatalf("%s: %v", to, err)
		}
		if target, ok := to.(*ArchiveTarget); ok {
			check(t, target.Close())
			a, err := OpenArchive(t.Context(), archive, t.TempDir())
			check(t, err)
			defer a.Close()
			from = a
		} else {
			from = to.(Source)
		}
		for tag, m := range want {
			got, err := from.Resolve(t.Context(), tag)
			if err != nil || got.Descriptor.Digest != m.Descriptor.Digest {
				t.Errorf("%s: %s is %s, %v", to, tag, got.Descriptor.Digest, err)
			}
		}
		if !absent(t, from, stray) {
			t.Errorf("%s has what belongs to another image", to)
		}
		expectReferrers(t, to.String(), from.(ReferrerLister), g.Manifests[1].Descriptor.Digest, referring)
		if n := 3 + 2 + len(want); to == Target(w.repository("app")) && planned[0].Manifests != n {
			t.Errorf("%s: %d manifests are planned, want %d", to, planned[0].Manifests, n)
		}
		if _, ok := to.(*Layout); ok {
			only, err := from.Resolve(t.Context(), "")
			if err != nil || only.Descriptor.Digest != root.Descriptor.Digest {
				t.Errorf("the only image is %s, %v", only.Descriptor.Digest, err)
			}
			// The same again changes nothing.
			planned := Preview(t.Context(), src, []Destination{{Target: to, Tags: []string{"x"}}}, Options{Reference: "index", Referrers: true})
			check(t, planned[0].Err)
			if planned[0].Manifests != 3+2 || planned[0].Blobs != 0 {
				t.Errorf("planned again: %+v", planned[0].Plan)
			}
		}
	}
	only, err := from.Resolve(t.Context(), "")
	if err != nil || only.Descriptor.Digest != root.Descriptor.Digest {
		t.Errorf("the only image of the archive is %s, %v", only.Descriptor.Digest, err)
	}

	// Nothing of it without the option.
	bare := NewLayout(filepath.Join(t.TempDir(), "bare"))
	mustCopy(t, src, bare, Options{Reference: "index", Tags: []string{"x"}})
	tags, err := bare.Tags(t.Context())
	check(t, err)
	if !slices.Equal(tags, []string{"x"}) {
		t.Errorf("tags %q", tags)
	}
	// A docker archive could not keep it.
	docker := NewDockerArchiveTarget(filepath.Join(t.TempDir(), "d.tar"), "app", ArchiveTargetOptions{})
	defer docker.Close()
	_, err = Copy(t.Context(), src, docker, Options{Reference: string(child), Referrers: true})
	if !errors.Is(err, ErrNotFound) { // it is in no index.json
		t.Errorf("got %v", err)
	}
	image, err := src.Resolve(t.Context(), "image")
	check(t, err)
	attach(t, src, image.Descriptor, 1)
	if _, err = Copy(t.Context(), src, docker, Options{Reference: "image", Referrers: true}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

// The tags are asked for in one call, of both sides.
func TestAttachedCalls(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	w.create("other", types.ImageTagMutabilityMutable)
	dir, _, index := newFixture(t, 1)
	src, app := NewLayout(dir), w.repository("app")
	sig := DigestTag(digestOf(t, index), "sig")
	check(t, src.PutTagged(t.Context(), signatures(t, src, sigLayer("a")), sig))
	mustCopy(t, src, app, Options{Reference: "index", Tags: []string{"x"}, Referrers: true})
	w.calls.Reset()
	mustCopy(t, app, w.repository("other"), Options{Reference: "x", Tags: []string{"x"}, Referrers: true})
	// Of the source the index, its images, and twice what is attached: to the index
	// and its images, and to the signature. Of the other repository what is there.
	if n := w.calls.Count("BatchGetImage"); n != 1+1+2+1 {
		t.Errorf("%d BatchGetImage", n)
	}
	if n := w.calls.Count("PutImage"); n != 2+1+1+1 { // images, index, signature, tag
		t.Errorf("%d PutImage", n)
	}
	var order []string
	for _, c := range w.calls.Calls() {
		if c.Op == "PutImage" {
			order = append(order, c.Digest)
		}
	}
	root := string(digestOf(t, index))
	if !slices.Equal([]string{order[2], order[4]}, []string{root, root}) {
		t.Errorf("order of manifests: %q", order)
	}
}

// Signatures that the destination has and the source has not are kept.
func TestAttachedMerge(t *testing.T) {
	for _, tt := range []struct {
		name             string
		here, there, all []string
	}{
		{"nothing there", []string{"a"}, nil, []string{"a"}},
		{"the same", []string{"a"}, []string{"a"}, []string{"a"}},
		{"more there", []string{"a"}, []string{"b", "a"}, []string{"b", "a"}},
		{"fewer there", []string{"a", "b"}, []string{"b"}, []string{"a", "b"}},
		{"others there", []string{"a", "b"}, []string{"c", "a"}, []string{"c", "a", "b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, localecr.Options{})
			n := newNeutralRegistry(t)
			layers := func(signers []string) (layers []Descriptor) {
				for _, s := range signers {
					layers = append(layers, sigLayer(s))
				}
				return layers
			}
			dir, _, index := newFixture(t, 1)
			src := NewLayout(dir)
			tag := DigestTag(digestOf(t, index), "sig")
			ours := signatures(t, src, layers(tt.here)...)
			check(t, src.PutTagged(t.Context(), ours, tag))
			archive := filepath.Join(t.TempDir(), "a.tar")
			for _, dst := range []Target{
				w.repository("app"), n.repository("app"), NewLayout(filepath.Join(t.TempDir(), "dst")),
				NewArchiveTarget(archive, ArchiveTargetOptions{}),
			} {
				if tt.there != nil {
					check(t, dst.PutTagged(t.Context(), signatures(t, dst, layers(tt.there)...), tag))
					if a, ok := dst.(*ArchiveTarget); ok {
						check(t, a.Commit(t.Context()))
						check(t, a.Close())
						dst = NewArchiveTarget(archive, ArchiveTargetOptions{})
					}
				}
				mustCopy(t, src, dst, Options{Reference: "index", Tags: []string{"x"}, Referrers: true})
				var from Source
				if a, ok := dst.(*ArchiveTarget); ok {
					check(t, a.Close())
					opened, err := OpenArchive(t.Context(), archive, t.TempDir())
					check(t, err)
					defer opened.Close()
					from = opened
				} else {
					from = dst.(Source)
				}
				if got := signersAt(t, from, tag); !slices.Equal(got, tt.all) {
					t.Errorf("%s is signed by %q, want %q", dst, got, tt.all)
				}
				if got, err := from.Resolve(t.Context(), tag); slices.Equal(tt.all, tt.here) && got.Descriptor.Digest != ours.Descriptor.Digest {
					t.Errorf("%s: the signature was written anew: %v", dst, err)
				}
			}
		})
	}
}

// Another client that replaces the list at the same time takes nothing away for good.
func TestAttachedConcurrent(t *testing.T) {
	n := newNeutralRegistry(t)
	dst := n.repository("app")
	dir, _, index := newFixture(t, 1)
	src := NewLayout(dir)
	tag := DigestTag(digestOf(t, index), "sig")
	check(t, src.PutTagged(t.Context(), signatures(t, src, sigLayer("ours")), tag))
	check(t, dst.PutTagged(t.Context(), signatures(t, dst, sigLayer("first")), tag))
	late := signatures(t, dst, sigLayer("first"), sigLayer("late")) // by who read before we wrote
	var writes atomic.Int32
	n.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/"+tag) && writes.Load() == 1 {
			writes.Add(1)
			check(t, dst.PutTagged(t.Context(), late, tag))
		}
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/"+tag) {
			writes.Add(1)
		}
		return false
	})
	mustCopy(t, src, dst, Options{Reference: "index", Tags: []string{"x"}, Referrers: true})
	n.intercept(nil)
	if got := signersAt(t, dst, tag); !slices.Equal(got, []string{"first", "late", "ours"}) {
		t.Errorf("signed by %q", got)
	}
}

// What cannot be merged, or must not be moved, is a conflict, and the image gets no tag.
func TestAttachedConflict(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	w.create("immutable", types.ImageTagMutabilityImmutable)
	dir, _, index := newFixture(t, 1)
	src := NewLayout(dir)
	tag := DigestTag(digestOf(t, index), "sig")
	check(t, src.PutTagged(t.Context(), signatures(t, src, sigLayer("a")), tag))
	app, immutable := w.repository("app"), w.repository("immutable")
	check(t, app.PutTagged(t.Context(), signatures(t, app, blobOf("payload", "text/plain")), tag))
	check(t, immutable.PutTagged(t.Context(), signatures(t, immutable, sigLayer("b")), tag))
	for _, dst := range []*ECR{app, immutable} {
		_, err := Copy(t.Context(), src, dst, Options{Reference: "index", Tags: []string{"x"}, Referrers: true})
		if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), dst.String()+":"+tag) || strings.Contains(err.Error(), "use a new tag") {
			t.Errorf("%s: %v", dst, err)
		}
		if !absent(t, dst, "x") {
			t.Errorf("%s: the image has its tag", dst)
		}
	}
	planned := Preview(t.Context(), src, []Destination{{Target: app, Tags: []string{"x"}}}, Options{Reference: "index", Referrers: true})
	if !errors.Is(planned[0].Err, ErrConflict) {
		t.Errorf("the plan: %v", planned[0].Err)
	}
	// A bill of materials is replaced.
	sbom := DigestTag(digestOf(t, index), "sbom")
	w.create("bill", types.ImageTagMutabilityMutable)
	bill := w.repository("bill")
	ours := signatures(t, src, blobOf("payload", "text/spdx"))
	check(t, src.PutTagged(t.Context(), ours, sbom))
	check(t, bill.PutTagged(t.Context(), signatures(t, bill, blobOf("payload", "text/plain")), sbom))
	mustCopy(t, src, bill, Options{Reference: "index", Tags: []string{"x"}, Referrers: true})
	if m, err := bill.Resolve(t.Context(), sbom); err != nil || m.Descriptor.Digest != ours.Descriptor.Digest {
		t.Errorf("the bill of materials is %s, %v", m.Descriptor.Digest, err)
	}
}

// A refusal to say what is attached is no answer.
func TestAttachedFailsClosed(t *testing.T) {
	n := newNeutralRegistry(t)
	src, _ := newImage(t, 1000)
	mustCopy(t, NewLayout(src), n.repository("app"), Options{Reference: "x", Tags: []string{"x"}})
	for _, suffix := range []string{".sig", ".att", ".sbom"} {
		for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest, http.StatusNotImplemented} {
			n.intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, suffix) {
					w.WriteHeader(status)
					return true
				}
				return false
			})
			dst := NewLayout(filepath.Join(t.TempDir(), "dst"))
			_, err := Copy(t.Context(), n.repository("app"), dst, Options{Reference: "x", Referrers: true})
			if err == nil || errors.Is(err, ErrNotFound) {
				t.Errorf("%s %d: %v", suffix, status, err)
			}
		}
	}
}

func FuzzMergeSignatures(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":{"digest":"`+someSHA+`"},"layers":[{"mediaType":"`+simpleSigning+`","digest":"`+someSHA+`","size":1}]}`),
		[]byte(`{"schemaVersion":2,"config":{"digest":"`+someSHA+`"},"layers":[{"mediaType":"`+simpleSigning+`","digest":"`+someSHA+`","annotations":{"a":"b"}}]}`))
	f.Add([]byte(`{"layers":null}`), []byte(`{"config":{},"Layers":[],"layers":[1]}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		have := Manifest{Content: a, Descriptor: blobOf(string(a), "")}
		more := Manifest{Content: b, Descriptor: blobOf(string(b), "")}
		merged, config, err := mergeSignatures(have, more)
		if err != nil || config == nil {
			return
		}
		check(t, verifyManifest(merged, merged.Descriptor))
		all, err := decodeSignatures(merged)
		check(t, err)
		for _, m := range []Manifest{have, more} {
			l, err := decodeSignatures(m)
			check(t, err)
			if !all.hasAll(l) {
				t.Errorf("a signature is lost: %s", merged.Content)
			}
		}
	})
}
