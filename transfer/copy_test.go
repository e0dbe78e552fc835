package transfer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/docker"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
	"github.com/ecrkit/ecrkit/transfer/registry"
)

// A push of what was pushed before is one request, if the journal knows it.
func TestPushAgain(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 2)
	opts := Options{Reference: "index", Tags: []string{"1.0", "latest"}, JournalDir: t.TempDir()}
	mustCopy(t, layout.New(src), w.repository("app"), opts)
	w.Calls.Reset()

	again := mustCopy(t, layout.New(src), w.repository("app"), opts)
	w.ExpectCalls(map[string]int{"BatchGetImage": 1})
	if again.BlobsSent != 0 || len(again.Tags) != 2 {
		t.Errorf("%+v", again)
	}

	// A tag that was moved in the meantime is put back.
	mustCopy(t, layout.New(src), w.repository("app"), Options{Reference: "image", Tags: []string{"latest"}})
	w.Calls.Reset()
	mustCopy(t, layout.New(src), w.repository("app"), opts)
	if w.Calls.Count("PutImage") == 0 {
		t.Error("no PutImage although latest named another image")
	}
	m, err := w.repository("app").Resolve(t.Context(), "latest")
	fixture.Check(t, err)
	if m.Descriptor.Digest != again.Digest {
		t.Errorf("latest names %s, want %s", m.Descriptor.Digest, again.Digest)
	}
}

// countingSource counts how often each blob is opened, and is neither a file nor
// read by ranges.
type countingSource struct {
	content.Source
	mu     sync.Mutex
	opened map[digest.Digest]int
}

func (s *countingSource) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	s.mu.Lock()
	s.opened[d.Digest]++
	s.mu.Unlock()
	return s.Source.Blob(ctx, d)
}

// Several destinations get the image from one reading of the source, and one
// that fails does not keep the others from it.
func TestCopyAll(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	w.Create("other", types.ImageTagMutabilityMutable)
	dir, _, index := fixture.Layout(t, 3)
	src := &countingSource{Source: layout.New(dir), opened: map[digest.Digest]int{}}
	dst := filepath.Join(t.TempDir(), "dst")
	copied := CopyAll(t.Context(), src, []Destination{
		{Target: w.repository("app"), Tags: []string{"a", "b"}},
		{Target: w.repository("missing"), Tags: []string{"a"}},
		{Target: w.repository("other"), Tags: []string{"c"}},
		{Target: layout.New(dst), Tags: []string{"d"}},
		{Target: w.repository("app"), Digest: someSHA},
	}, Options{Reference: "index"})
	for i, want := range []error{nil, content.ErrNotFound, nil, nil, content.ErrIntegrity} {
		if err := copied[i].Err; !errors.Is(err, want) {
			t.Errorf("destination %d: %v, want %v", i, err, want)
		}
		if want == nil && (copied[i].Digest != fixture.DigestOf(t, index) || copied[i].BlobsSent != 8) {
			t.Errorf("destination %d: %+v", i, copied[i])
		}
	}
	for d, n := range src.opened {
		if n != 1 {
			t.Errorf("blob %s was opened %d times", d, n)
		}
	}
	for repository, tag := range map[string]string{"app": "b", "other": "c"} {
		dst := filepath.Join(t.TempDir(), "back")
		mustCopy(t, w.repository(repository), layout.New(dst), Options{Reference: tag, Tags: []string{"x"}})
		fixture.ValidateLayout(t, dst)
	}
	fixture.ValidateLayout(t, dir)
}

// addReferrer adds to a layout a manifest whose subject is another.
func addReferrer(t *testing.T, dir string, subject content.Descriptor, data string) content.Descriptor {
	t.Helper()
	put := func(data []byte, mediaType string) content.Descriptor {
		d := content.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		fixture.WriteTestFile(t, fixture.BlobFile(dir, d.Digest), string(data))
		return d
	}
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: "application/vnd.test.signature",
		Config:       put([]byte("{}"), ocispec.MediaTypeEmptyJSON),
		Layers:       []content.Descriptor{put([]byte(data), "application/vnd.test.signature")},
		Subject:      &content.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
	})
	fixture.Check(t, err)
	return put(manifest, ocispec.MediaTypeImageManifest)
}

// referringSource knows referrers.
type referringSource struct {
	content.Source
	referrers map[digest.Digest][]content.Descriptor
}

func (s referringSource) Referrers(_ context.Context, d digest.Digest) ([]content.Descriptor, error) {
	return s.referrers[d], nil
}

// Referrers, and theirs, come after their subject and before the tag.
func TestCopyReferrers(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	dir, _, _ := fixture.Layout(t, 1)
	layout := layout.New(dir)
	root, err := layout.Resolve(t.Context(), "index")
	fixture.Check(t, err)
	signature := addReferrer(t, dir, root.Descriptor, "signature of the index")
	ofSignature := addReferrer(t, dir, signature, "signature of the signature")
	src := referringSource{layout, map[digest.Digest][]content.Descriptor{
		root.Descriptor.Digest: {signature},
		signature.Digest:       {ofSignature},
	}}
	mustCopy(t, src, w.repository("app"), Options{Reference: "index", Tags: []string{"1"}, Referrers: true})
	var order []string
	for _, c := range w.Calls.Calls() {
		if c.Op == "PutImage" {
			order = append(order, c.Digest)
		}
	}
	want := []string{string(root.Descriptor.Digest), string(signature.Digest), string(ofSignature.Digest), string(root.Descriptor.Digest)}
	if got := order[2:]; strings.Join(got, " ") != strings.Join(want, " ") { // the first two are children
		t.Errorf("order of manifests:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	_, err = Copy(t.Context(), plainSource{layout}, w.repository("app"), Options{Reference: "index", Referrers: true})
	if !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("a source that knows no referrers: %v", err)
	}
}

// plainSource hides all that its source can do beyond the minimum.
type plainSource struct{ content.Source }

// A foreign layer is copied if that is asked for, from its URL if need be.
func TestCopyForeignLayer(t *testing.T) {
	data := make([]byte, 3000)
	_, _ = rand.Read(data)
	layer := content.Descriptor{MediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Digest: digest.FromBytes(data), Size: int64(len(data))}
	plain := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		t.Error("a redirect away from https was followed")
		_, _ = rw.Write(data)
	}))
	defer plain.Close()
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("credentials were sent to the URL of a foreign layer")
		}
		switch r.URL.Path {
		case "/layer":
			_, _ = rw.Write(data)
		case "/moved":
			http.Redirect(rw, r, "/layer", http.StatusFound)
		case "/plain":
			http.Redirect(rw, r, plain.URL, http.StatusFound)
		default:
			http.NotFound(rw, r)
		}
	}))
	defer elsewhere.Close()
	w := newWorld(t, localecr.Options{})
	for _, tt := range []struct {
		name   string
		urls   []string
		stored bool
		taken  bool
		want   error
	}{
		{"not asked for", []string{elsewhere.URL + "/layer"}, true, false, nil},
		{"not asked for and absent", []string{elsewhere.URL + "/layer"}, false, false, nil},
		{"not asked for and without a URL", nil, true, false, content.ErrForeign},
		{"in the source", nil, true, true, nil},
		{"at a URL", []string{elsewhere.URL + "/other", elsewhere.URL + "/layer"}, false, true, nil},
		{"at another URL", []string{elsewhere.URL + "/moved"}, false, true, nil},
		{"moved to a plain URL", []string{elsewhere.URL + "/plain"}, false, true, content.ErrNotFound},
		{"nowhere", []string{elsewhere.URL + "/other"}, false, true, content.ErrNotFound},
		{"at a plain URL", []string{strings.Replace(elsewhere.URL, "https", "http", 1) + "/layer"}, false, true, content.ErrNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, _, _ := fixture.Layout(t, 1)
			config := []byte("{}")
			fixture.WriteTestFile(t, fixture.BlobFile(dir, digest.FromBytes(config)), string(config))
			layer := layer
			layer.URLs = tt.urls
			if tt.stored {
				fixture.Check(t, os.WriteFile(fixture.BlobFile(dir, layer.Digest), data, 0o666))
			}
			manifest, err := json.Marshal(ocispec.Manifest{
				Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
				Config: content.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: 2},
				Layers: []content.Descriptor{layer},
			})
			fixture.Check(t, err)
			src := layout.New(dir)
			fixture.Check(t, src.PutTagged(t.Context(), content.Manifest{Content: manifest, Descriptor: content.Descriptor{
				MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(manifest), Size: int64(len(manifest)),
			}}, "foreign"))
			var foreign content.BlobReader
			if tt.taken {
				foreign = registry.NewForeignLayers(elsewhere.Client().Transport)
			}
			name := strings.ToLower(strings.ReplaceAll(tt.name, " ", "-"))
			w.Create(name, types.ImageTagMutabilityMutable)
			made, err := Copy(t.Context(), src, w.repository(name), Options{Reference: "foreign", Tags: []string{"x"}, Foreign: foreign})
			if !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if err != nil {
				return
			}
			dst := filepath.Join(t.TempDir(), "dst")
			mustCopy(t, w.repository(name), layout.New(dst), Options{Reference: "x", Foreign: foreign})
			got, err := os.ReadFile(fixture.BlobFile(dst, layer.Digest))
			if !tt.taken {
				if !slices.Equal(made.Foreign, []digest.Digest{layer.Digest}) || !errors.Is(err, os.ErrNotExist) {
					t.Errorf("left out %v; the layer in the layout: %v", made.Foreign, err)
				}
				// A layout without the layer is as good a source.
				mustCopy(t, layout.New(dst), layout.New(filepath.Join(t.TempDir(), "again")), Options{Reference: string(made.Digest)})
				archive := docker.NewArchiveTarget(filepath.Join(t.TempDir(), "a.tar"), "app:1")
				if _, err := Copy(t.Context(), src, archive, Options{Reference: "foreign"}); !errors.Is(err, content.ErrUnsupported) {
					t.Errorf("docker archive: %v, want ErrUnsupported", err)
				}
				return
			}
			fixture.Check(t, err)
			if string(got) != string(data) {
				t.Error("the layer has other bytes")
			}
		})
	}
}

// What a copy does is told as it happens, and the sums are right.
func TestCopyEvents(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 3)
	for range 2 { // the second time all is there
		var mu sync.Mutex
		var planned, moved int64
		counts := map[content.EventKind]int{}
		result := mustCopy(t, layout.New(src), w.repository("app"), Options{Reference: "image", Tags: []string{"1"}, Progress: func(e content.Event) {
			mu.Lock()
			defer mu.Unlock()
			counts[e.Kind]++
			switch e.Kind {
			case content.EventPlanned:
				planned = e.Bytes
			case content.EventMoved:
				moved += e.Bytes
			}
			if e.Target != w.Registry.Host+"/app" {
				t.Errorf("event of %q", e.Target)
			}
		}})
		if planned != result.BytesSent || moved != planned {
			t.Errorf("planned %d, moved %d, sent %d", planned, moved, result.BytesSent)
		}
		if counts[content.EventPlanned] != 1 || counts[content.EventStarted] != result.BlobsSent || counts[content.EventDone] != 4 || counts[content.EventTagged] != 1 {
			t.Errorf("events: %v", counts)
		}
	}
}

// TestReadTree reads an index with its images.
func TestReadTree(t *testing.T) {
	src, _, index := fixture.Layout(t, 1)
	layout := layout.New(src)
	root, err := layout.Resolve(t.Context(), "index")
	fixture.Check(t, err)
	tree, err := imagetree.ReadTree(t.Context(), layout, root)
	fixture.Check(t, err)
	if len(tree) != 3 || tree[2].Descriptor.Digest != fixture.DigestOf(t, index) || content.IsIndex(tree[0].Descriptor.MediaType) || content.IsIndex(tree[1].Descriptor.MediaType) {
		t.Errorf("got %d manifests", len(tree))
	}
	changed := root
	changed.Content = []byte(string(root.Content) + " ")
	if _, err := imagetree.ReadTree(t.Context(), layout, changed); !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("got %v", err)
	}
	untyped := root
	untyped.Descriptor.MediaType = ""
	checked, err := content.CheckManifest(untyped)
	if fixture.Check(t, err); checked.Descriptor.MediaType != root.Descriptor.MediaType {
		t.Errorf("the media type is %q", checked.Descriptor.MediaType)
	}
	fixture.Check(t, os.Remove(fixture.BlobFile(src, tree[0].Descriptor.Digest)))
	if _, err := imagetree.ReadTree(t.Context(), layout, root); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
