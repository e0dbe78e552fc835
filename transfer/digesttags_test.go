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

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/archive"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/docker"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

const simpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"

// sigLayer is a layer as cosign writes it: the payload is the same for all who sign.
func sigLayer(signer string) content.Descriptor {
	d := fixture.BlobOf("payload", simpleSigning)
	d.Annotations = map[string]string{"dev.cosignproject.cosign/signature": signer}
	return d
}

// signatures is an image with these layers, whose blobs are stored in dst.
func signatures(t *testing.T, dst content.Target, layers ...content.Descriptor) content.Manifest {
	t.Helper()
	fixture.Check(t, dst.PutBlob(t.Context(), fixture.BlobOf("payload", simpleSigning), strings.NewReader("payload")))
	config := fmt.Sprintf(`{"history":%d}`, len(layers))
	fixture.Check(t, dst.PutBlob(t.Context(), fixture.BlobOf(config, ""), strings.NewReader(config)))
	data, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: fixture.BlobOf(config, ocispec.MediaTypeImageConfig), Layers: layers,
	})
	fixture.Check(t, err)
	return content.Manifest{Descriptor: fixture.BlobOf(string(data), ocispec.MediaTypeImageManifest), Content: data}
}

// signersAt returns who signed an image, by its tag made of its digest.
func signersAt(t *testing.T, src content.Source, tag string) (signers []string) {
	t.Helper()
	m, err := src.Resolve(t.Context(), tag)
	fixture.Check(t, err)
	g, err := imagetree.ReadBelow(t.Context(), src, m, false)
	fixture.Check(t, err)
	for _, b := range g.Blobs {
		data, err := src.Blob(t.Context(), b)
		fixture.Check(t, err)
		if _, err := content.ReadLimited(content.NewVerifyingReader(t.Context(), data, b), b.Size); err != nil {
			t.Errorf("%s: %v", tag, err)
		}
		data.Close()
	}
	var doc ocispec.Manifest
	fixture.Check(t, json.Unmarshal(m.Content, &doc))
	for _, l := range doc.Layers {
		signers = append(signers, l.Annotations["dev.cosignproject.cosign/signature"])
	}
	return signers
}

// What is attached to an index and its images by tags goes with it, from and to
// everything, and a layout with one image and what belongs to it has one image.
func TestAttached(t *testing.T) {
	dir, _, _ := fixture.Layout(t, 1)
	src := layout.New(dir)
	root, err := src.Resolve(t.Context(), "index")
	fixture.Check(t, err)
	g, err := imagetree.ReadBelow(t.Context(), src, root, false)
	fixture.Check(t, err)
	child := g.Manifests[0].Descriptor.Digest
	sbom := signatures(t, src, fixture.BlobOf("payload", "text/spdx"))
	want := map[string]content.Manifest{
		content.DigestTag(root.Descriptor.Digest, "sig"): signatures(t, src, sigLayer("a")),
		content.DigestTag(child, "sig"):                  signatures(t, src, sigLayer("a"), sigLayer("b")),
		content.DigestTag(child, "att"):                  signatures(t, src, fixture.BlobOf("payload", "application/vnd.dsse.envelope.v1+json")),
		content.DigestTag(child, "sbom"):                 sbom,
		content.DigestTag(sbom.Descriptor.Digest, "sig"): signatures(t, src, sigLayer("c")), // of the bill of materials
	}
	for tag, m := range want {
		fixture.Check(t, src.PutTagged(t.Context(), m, tag))
	}
	stray := content.DigestTag(digest.FromString("another image"), "sig")
	fixture.Check(t, src.PutTagged(t.Context(), signatures(t, src, sigLayer("stray")), stray))
	referring := fixture.Attach(t, src, g.Manifests[1].Descriptor, 2) // of a child

	w := newWorld(t, localecr.Options{})
	with, without := newNeutralRegistry(t, registry.WithReferrersSupport(true)), newNeutralRegistry(t)
	file := filepath.Join(t.TempDir(), "a.tar")
	var from content.Source = src
	for _, to := range []content.Target{
		w.repository("app"), with.repository("app"), without.repository("app"), w.v2Registry("app"),
		layout.New(filepath.Join(t.TempDir(), "dst")), archive.NewTarget(file),
	} {
		reference := "x"
		if from == content.Source(src) {
			reference = "index"
		}
		opts := Options{Reference: reference, Tags: []string{"x"}, Referrers: true}
		planned := Preview(t.Context(), from, []Destination{{Target: to, Tags: []string{"x"}}}, opts)
		fixture.Check(t, planned[0].Err)
		w.Calls.Reset()
		if _, err := Copy(t.Context(), from, to, opts); err != nil {
			t.Fatalf("%s: %v", to, err)
		}
		if target, ok := to.(*archive.Target); ok {
			fixture.Check(t, target.Close())
			a, err := archive.Open(t.Context(), file, t.TempDir())
			fixture.Check(t, err)
			defer a.Close()
			from = a
		} else {
			from = to.(content.Source)
		}
		for tag, m := range want {
			got, err := from.Resolve(t.Context(), tag)
			if err != nil || got.Descriptor.Digest != m.Descriptor.Digest {
				t.Errorf("%s: %s is %s, %v", to, tag, got.Descriptor.Digest, err)
			}
		}
		if !fixture.Absent(t, from, stray) {
			t.Errorf("%s has what belongs to another image", to)
		}
		fixture.ExpectReferrers(t, to.String(), from.(content.ReferrerLister), g.Manifests[1].Descriptor.Digest, referring)
		if n := 3 + 2 + len(want); to == content.Target(w.repository("app")) && planned[0].Manifests != n {
			t.Errorf("%s: %d manifests are planned, want %d", to, planned[0].Manifests, n)
		}
		if _, ok := to.(*layout.Layout); ok {
			only, err := from.Resolve(t.Context(), "")
			if err != nil || only.Descriptor.Digest != root.Descriptor.Digest {
				t.Errorf("the only image is %s, %v", only.Descriptor.Digest, err)
			}
			// The same again changes nothing.
			planned := Preview(t.Context(), src, []Destination{{Target: to, Tags: []string{"x"}}}, Options{Reference: "index", Referrers: true})
			fixture.Check(t, planned[0].Err)
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
	bare := layout.New(filepath.Join(t.TempDir(), "bare"))
	mustCopy(t, src, bare, Options{Reference: "index", Tags: []string{"x"}})
	tags, err := bare.Tags(t.Context())
	fixture.Check(t, err)
	if !slices.Equal(tags, []string{"x"}) {
		t.Errorf("tags %q", tags)
	}
	// A docker archive could not keep it.
	docker := docker.NewArchiveTarget(filepath.Join(t.TempDir(), "d.tar"), "app")
	defer docker.Close()
	_, err = Copy(t.Context(), src, docker, Options{Reference: string(child), Referrers: true})
	if !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	image, err := src.Resolve(t.Context(), "image")
	fixture.Check(t, err)
	fixture.Attach(t, src, image.Descriptor, 1)
	if _, err = Copy(t.Context(), src, docker, Options{Reference: "image", Referrers: true}); !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

// The tags are asked for in one call, of both sides.
func TestAttachedCalls(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	w.Create("other", types.ImageTagMutabilityMutable)
	dir, _, index := fixture.Layout(t, 1)
	src, app := layout.New(dir), w.repository("app")
	sig := content.DigestTag(fixture.DigestOf(t, index), "sig")
	fixture.Check(t, src.PutTagged(t.Context(), signatures(t, src, sigLayer("a")), sig))
	mustCopy(t, src, app, Options{Reference: "index", Tags: []string{"x"}, Referrers: true})
	w.Calls.Reset()
	mustCopy(t, app, w.repository("other"), Options{Reference: "x", Tags: []string{"x"}, Referrers: true})
	// Of the source the index, its images, and twice what is attached: to the index
	// and its images, and to the signature. Of the other repository what is there.
	if n := w.Calls.Count("BatchGetImage"); n != 1+1+2+1 {
		t.Errorf("%d BatchGetImage", n)
	}
	if n := w.Calls.Count("PutImage"); n != 2+1+1+1 { // images, index, signature, tag
		t.Errorf("%d PutImage", n)
	}
	var order []string
	for _, c := range w.Calls.Calls() {
		if c.Op == "PutImage" {
			order = append(order, c.Digest)
		}
	}
	root := string(fixture.DigestOf(t, index))
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
			layers := func(signers []string) (layers []content.Descriptor) {
				for _, s := range signers {
					layers = append(layers, sigLayer(s))
				}
				return layers
			}
			dir, _, index := fixture.Layout(t, 1)
			src := layout.New(dir)
			tag := content.DigestTag(fixture.DigestOf(t, index), "sig")
			ours := signatures(t, src, layers(tt.here)...)
			fixture.Check(t, src.PutTagged(t.Context(), ours, tag))
			file := filepath.Join(t.TempDir(), "a.tar")
			for _, dst := range []content.Target{
				w.repository("app"), n.repository("app"), layout.New(filepath.Join(t.TempDir(), "dst")),
				archive.NewTarget(file),
			} {
				if tt.there != nil {
					fixture.Check(t, dst.PutTagged(t.Context(), signatures(t, dst, layers(tt.there)...), tag))
					if a, ok := dst.(*archive.Target); ok {
						fixture.Check(t, a.Commit(t.Context()))
						fixture.Check(t, a.Close())
						dst = archive.NewTarget(file)
					}
				}
				mustCopy(t, src, dst, Options{Reference: "index", Tags: []string{"x"}, Referrers: true})
				var from content.Source
				if a, ok := dst.(*archive.Target); ok {
					fixture.Check(t, a.Close())
					opened, err := archive.Open(t.Context(), file, t.TempDir())
					fixture.Check(t, err)
					defer opened.Close()
					from = opened
				} else {
					from = dst.(content.Source)
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
	dir, _, index := fixture.Layout(t, 1)
	src := layout.New(dir)
	tag := content.DigestTag(fixture.DigestOf(t, index), "sig")
	fixture.Check(t, src.PutTagged(t.Context(), signatures(t, src, sigLayer("ours")), tag))
	fixture.Check(t, dst.PutTagged(t.Context(), signatures(t, dst, sigLayer("first")), tag))
	late := signatures(t, dst, sigLayer("first"), sigLayer("late")) // by who read before we wrote
	var writes atomic.Int32
	n.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/"+tag) && writes.Load() == 1 {
			writes.Add(1)
			fixture.Check(t, dst.PutTagged(t.Context(), late, tag))
		}
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/"+tag) {
			writes.Add(1)
		}
		return false
	})
	mustCopy(t, src, dst, Options{Reference: "index", Tags: []string{"x"}, Referrers: true})
	n.Intercept(nil)
	if got := signersAt(t, dst, tag); !slices.Equal(got, []string{"first", "late", "ours"}) {
		t.Errorf("signed by %q", got)
	}
}

// What cannot be merged, or must not be moved, is a conflict, and the image gets no tag.
func TestAttachedConflict(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	w.Create("immutable", types.ImageTagMutabilityImmutable)
	dir, _, index := fixture.Layout(t, 1)
	src := layout.New(dir)
	tag := content.DigestTag(fixture.DigestOf(t, index), "sig")
	fixture.Check(t, src.PutTagged(t.Context(), signatures(t, src, sigLayer("a")), tag))
	app, immutable := w.repository("app"), w.repository("immutable")
	fixture.Check(t, app.PutTagged(t.Context(), signatures(t, app, fixture.BlobOf("payload", "text/plain")), tag))
	fixture.Check(t, immutable.PutTagged(t.Context(), signatures(t, immutable, sigLayer("b")), tag))
	for _, dst := range []*ecr.Repository{app, immutable} {
		_, err := Copy(t.Context(), src, dst, Options{Reference: "index", Tags: []string{"x"}, Referrers: true})
		if !errors.Is(err, content.ErrConflict) || !strings.Contains(err.Error(), dst.String()+":"+tag) || strings.Contains(err.Error(), "use a new tag") {
			t.Errorf("%s: %v", dst, err)
		}
		if !fixture.Absent(t, dst, "x") {
			t.Errorf("%s: the image has its tag", dst)
		}
	}
	planned := Preview(t.Context(), src, []Destination{{Target: app, Tags: []string{"x"}}}, Options{Reference: "index", Referrers: true})
	if !errors.Is(planned[0].Err, content.ErrConflict) {
		t.Errorf("the plan: %v", planned[0].Err)
	}
	// A bill of materials is replaced.
	sbom := content.DigestTag(fixture.DigestOf(t, index), "sbom")
	w.Create("bill", types.ImageTagMutabilityMutable)
	bill := w.repository("bill")
	ours := signatures(t, src, fixture.BlobOf("payload", "text/spdx"))
	fixture.Check(t, src.PutTagged(t.Context(), ours, sbom))
	fixture.Check(t, bill.PutTagged(t.Context(), signatures(t, bill, fixture.BlobOf("payload", "text/plain")), sbom))
	mustCopy(t, src, bill, Options{Reference: "index", Tags: []string{"x"}, Referrers: true})
	if m, err := bill.Resolve(t.Context(), sbom); err != nil || m.Descriptor.Digest != ours.Descriptor.Digest {
		t.Errorf("the bill of materials is %s, %v", m.Descriptor.Digest, err)
	}
}

// A refusal to say what is attached is no answer.
func TestAttachedFailsClosed(t *testing.T) {
	n := newNeutralRegistry(t)
	src, _ := fixture.NewImage(t, 1000)
	mustCopy(t, layout.New(src), n.repository("app"), Options{Reference: "x", Tags: []string{"x"}})
	for _, suffix := range []string{".sig", ".att", ".sbom"} {
		for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest, http.StatusNotImplemented} {
			n.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, suffix) {
					w.WriteHeader(status)
					return true
				}
				return false
			})
			dst := layout.New(filepath.Join(t.TempDir(), "dst"))
			_, err := Copy(t.Context(), n.repository("app"), dst, Options{Reference: "x", Referrers: true})
			if err == nil || errors.Is(err, content.ErrNotFound) {
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
		have := content.Manifest{Content: a, Descriptor: fixture.BlobOf(string(a), "")}
		more := content.Manifest{Content: b, Descriptor: fixture.BlobOf(string(b), "")}
		merged, config, err := mergeSignatures(have, more)
		if err != nil || config == nil {
			return
		}
		fixture.Check(t, content.VerifyManifest(merged, merged.Descriptor))
		all, err := decodeSignatures(merged)
		fixture.Check(t, err)
		for _, m := range []content.Manifest{have, more} {
			l, err := decodeSignatures(m)
			fixture.Check(t, err)
			if !all.signatures().hasAll(l.signatures()) {
				t.Errorf("a signature is lost: %s", merged.Content)
			}
		}
	})
}
