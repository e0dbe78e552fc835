package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

func TestCopyLayoutToLayout(t *testing.T) {
	dir, image, index := newFixture(t, 3)
	clock := time.Unix(0, 0)
	opts := Options{Reference: "index", Tags: []string{"1.0", "latest"}, Now: func() time.Time {
		clock = clock.Add(1500 * time.Millisecond)
		return clock
	}}
	dst := filepath.Join(t.TempDir(), "new", "dst")
	result := mustCopy(t, NewLayout(dir), NewLayout(dst), opts)
	if result.Digest != digestOf(t, index) || result.BlobsSent != 8 || result.BlobsSkipped != 0 || result.BytesSent < 12000 || result.Seconds != 1.5 {
		t.Errorf("result %+v", result)
	}
	validateLayout(t, dst)
	if !IsLayout(dst) {
		t.Error("IsLayout is false")
	}
	for _, tag := range opts.Tags {
		m, err := NewLayout(dst).Resolve(t.Context(), tag)
		check(t, err)
		if m.Descriptor.Digest != digestOf(t, index) {
			t.Errorf("%s names %s", tag, m.Descriptor.Digest)
		}
	}

	again := mustCopy(t, NewLayout(dir), NewLayout(dst), opts)
	if again.BlobsSent != 0 || again.BlobsSkipped != 8 || again.BytesSkipped != result.BytesSent {
		t.Errorf("second result %+v", again)
	}
	mustCopy(t, NewLayout(dir), NewLayout(dst), Options{Reference: "image", Tags: []string{"1.0"}})
	m, err := NewLayout(dst).Resolve(t.Context(), "1.0")
	check(t, err)
	if m.Descriptor.Digest != digestOf(t, image) {
		t.Error("the tag 1.0 did not move")
	}
	validateLayout(t, dst)
}

func TestResultJSON(t *testing.T) {
	data, err := json.Marshal(Result{Digest: someSHA, MediaType: "a/b", Tags: []string{}, BlobsSent: 1, BlobsSkipped: 2, BytesSent: 3, BytesSkipped: 4, Calls: map[string]int{"PutImage": 1}, Seconds: 0.5})
	check(t, err)
	want := `{"digest":"` + someSHA + `","mediaType":"a/b","tags":[],"blobsSent":1,"blobsSkipped":2,"blobsMounted":0,"bytesSent":3,"bytesResumed":0,"bytesSkipped":4,"bytesMounted":0,"calls":{"PutImage":1},"retries":0,"seconds":0.5}`
	if string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
}

func TestLayoutResolve(t *testing.T) {
	dir, image, index := newFixture(t, 1)
	one := filepath.Join(t.TempDir(), "one")
	mustCopy(t, NewLayout(dir), NewLayout(one), Options{Reference: "image"})
	empty := filepath.Join(t.TempDir(), "empty")
	check(t, NewLayout(empty).create())
	tests := []struct {
		dir, reference string
		want           digest.Digest
		err            error
		text           string
	}{
		{dir, "image", digestOf(t, image), nil, ""},
		{dir, "index", digestOf(t, index), nil, ""},
		{dir, string(digestOf(t, image)), digestOf(t, image), nil, ""},
		{one, "", digestOf(t, image), nil, ""},
		{dir, "", "", nil, "has 2 images; say which one (tags: image, index)"},
		{dir, "other", "", ErrNotFound, "tags: image, index"},
		{dir, someSHA, "", ErrNotFound, "has no image " + someSHA},
		{one, "other", "", ErrNotFound, "none has a tag"},
		{empty, "", "", ErrNotFound, "has no image"},
		{t.TempDir(), "", "", os.ErrNotExist, "no OCI image layout"},
	}
	for _, tt := range tests {
		t.Run(tt.reference, func(t *testing.T) {
			m, err := NewLayout(tt.dir).Resolve(t.Context(), tt.reference)
			if tt.want != "" {
				check(t, err)
				if m.Descriptor.Digest != tt.want {
					t.Errorf("got %s, want %s", m.Descriptor.Digest, tt.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.text) || tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("got %v; want %q, %v", err, tt.text, tt.err)
			}
			if err != nil && !strings.Contains(err.Error(), tt.dir) {
				t.Errorf("error does not name the layout: %v", err)
			}
		})
	}
}

// TestLayoutTags pins what happens to the entries of index.json.
func TestLayoutTags(t *testing.T) {
	const a, b = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	type step struct{ digest, tag string }
	tests := []struct {
		name  string
		steps []step
		want  string
	}{
		{"new tag", []step{{a, "1"}}, "a=1"},
		{"two tags of one image", []step{{a, "1"}, {a, "2"}}, "a=1 a=2"},
		{"same tag twice", []step{{a, "1"}, {a, "1"}}, "a=1"},
		{"moved tag", []step{{a, "1"}, {b, "1"}}, "b=1"},
		{"no tag", []step{{a, ""}}, "a="},
		{"no tag twice", []step{{a, ""}, {a, ""}}, "a="},
		{"two without a tag", []step{{a, ""}, {b, ""}}, "a= b="},
		{"tagged later", []step{{a, ""}, {a, "1"}}, "a=1"},
		{"tagged before", []step{{a, "1"}, {a, ""}}, "a=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			index := []byte(`{"schemaVersion":2,"annotations":{"keep":"me"}}`)
			for _, s := range tt.steps {
				var err error
				index, err = addToIndex(index, Descriptor{MediaType: "x/y", Digest: digest.Digest(s.digest), Size: 1}, s.tag)
				check(t, err)
			}
			entries, err := decodeLayoutIndex(index)
			check(t, err)
			var got []string
			for _, d := range entries {
				got = append(got, d.Digest.Encoded()[:1]+"="+d.Annotations["org.opencontainers.image.ref.name"])
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
			if !strings.Contains(string(index), `"annotations":{"keep":"me"}`) {
				t.Errorf("what was there is lost: %s", index)
			}
		})
	}
}

func TestLayoutRefusesDirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	writeTestFile(t, filepath.Join(dir, "thesis.txt"), "mine")
	src, _, _ := newFixture(t, 1)
	_, err := Copy(t.Context(), NewLayout(src), NewLayout(dir), Options{Reference: "image", Tags: []string{"x"}})
	if err == nil || !strings.Contains(err.Error(), "thesis.txt") {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("it wrote: %v", entries)
	}
}

// TestLayoutCompletesCreation covers a process that died while it made a layout.
func TestLayoutCompletesCreation(t *testing.T) {
	src, _, _ := newFixture(t, 1)
	dir := t.TempDir()
	writeTestFile(t, filepath.Join(dir, "blobs", "sha256", "x"), "")
	writeTestFile(t, filepath.Join(dir, "index.json"), `{"schemaVersion":2,"manifests":[]}`)
	writeTestFile(t, filepath.Join(dir, tempPrefix+"x"), "")
	mustCopy(t, NewLayout(src), NewLayout(dir), Options{Reference: "image"})
}

func TestLayoutReplacesDamagedBlob(t *testing.T) {
	src, image, _ := newFixture(t, 2)
	dst := filepath.Join(t.TempDir(), "dst")
	opts := Options{Reference: "image", Tags: []string{"x"}}
	mustCopy(t, NewLayout(src), NewLayout(dst), opts)
	layers, err := image.Layers()
	check(t, err)
	file := blobFile(dst, digestOf(t, layers[0]))
	data, err := os.ReadFile(file)
	check(t, err)
	data[len(data)/2] ^= 1
	check(t, os.WriteFile(file, data, 0o666))
	result := mustCopy(t, NewLayout(src), NewLayout(dst), opts)
	if result.BlobsSent != 1 || result.BlobsSkipped != 2 {
		t.Errorf("result %+v", result)
	}
	validateLayout(t, dst)
}

// TestCopyDetectsDamage damages each kind of content in the source.
func TestCopyDetectsDamage(t *testing.T) {
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	longer := func(b []byte) []byte { return append(b, ' ') }
	shorter := func(b []byte) []byte { return b[:len(b)-1] }
	for name, damage := range map[string]func([]byte) []byte{"flip": flip, "longer": longer, "shorter": shorter} {
		for _, what := range []string{"root", "child", "layer", "config"} {
			t.Run(name+" "+what, func(t *testing.T) {
				src, _, index := newFixture(t, 1)
				manifest, err := index.IndexManifest()
				check(t, err)
				child, err := index.Image(manifest.Manifests[1].Digest)
				check(t, err)
				config, err := child.ConfigName()
				check(t, err)
				layers, err := child.Layers()
				check(t, err)
				file := blobFile(src, map[string]digest.Digest{
					"root":   digestOf(t, index),
					"child":  digestOf(t, child),
					"layer":  digestOf(t, layers[0]),
					"config": digest.Digest(config.String()),
				}[what])
				data, err := os.ReadFile(file)
				check(t, err)
				check(t, os.WriteFile(file, damage(data), 0o666))
				dst := filepath.Join(t.TempDir(), "dst")
				_, err = Copy(t.Context(), NewLayout(src), NewLayout(dst), Options{Reference: "index", Tags: []string{"x"}})
				if !errors.Is(err, ErrIntegrity) {
					t.Fatalf("got %v", err)
				}
				if IsLayout(dst) {
					validateLayout(t, dst)
					if _, err := NewLayout(dst).Resolve(t.Context(), "x"); !errors.Is(err, ErrNotFound) {
						t.Errorf("the image is visible: %v", err)
					}
				}
			})
		}
	}
}

func TestCopyMissingContent(t *testing.T) {
	src, image, index := newFixture(t, 1)
	layers, err := image.Layers()
	check(t, err)
	check(t, os.Remove(blobFile(src, digestOf(t, layers[0]))))
	manifest, err := index.IndexManifest()
	check(t, err)
	check(t, os.Remove(blobFile(src, digest.Digest(manifest.Manifests[0].Digest.String()))))
	for _, reference := range []string{"image", "index"} {
		_, err := Copy(t.Context(), NewLayout(src), NewLayout(filepath.Join(t.TempDir(), "d")), Options{Reference: reference})
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "incomplete") {
			t.Errorf("%s: got %v", reference, err)
		}
	}
}

func TestCopyWantsDigest(t *testing.T) {
	src, image, _ := newFixture(t, 1)
	dst := NewLayout(filepath.Join(t.TempDir(), "d"))
	_, err := Copy(t.Context(), NewLayout(src), dst, Options{Reference: "image", Digest: someSHA})
	if !errors.Is(err, ErrIntegrity) {
		t.Errorf("got %v", err)
	}
	mustCopy(t, NewLayout(src), dst, Options{Reference: "image", Digest: digestOf(t, image)})
}

func TestCopyCanceled(t *testing.T) {
	src, _, _ := newFixture(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Copy(ctx, NewLayout(src), NewLayout(filepath.Join(t.TempDir(), "d")), Options{Reference: "image"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestLayoutConcurrentWriters has many copies make and fill one layout: no tag
// may be lost.
func TestLayoutConcurrentWriters(t *testing.T) {
	src, _, _ := newFixture(t, 2)
	dst := filepath.Join(t.TempDir(), "dst")
	const writers = 16
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			reference := []string{"image", "index"}[i%2]
			if _, err := Copy(t.Context(), NewLayout(src), NewLayout(dst), Options{Reference: reference, Tags: []string{fmt.Sprint(i)}}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i := range writers {
		if _, err := NewLayout(dst).Resolve(t.Context(), fmt.Sprint(i)); err != nil {
			t.Error(err)
		}
	}
	validateLayout(t, dst)
}

func TestGraphLimits(t *testing.T) {
	nest := func(depth int) string {
		dir := filepath.Join(t.TempDir(), "src")
		l := NewLayout(dir)
		config := `{}`
		put := func(mediaType, doc string) Descriptor {
			d := Descriptor{MediaType: mediaType, Digest: digest.FromString(doc), Size: int64(len(doc))}
			check(t, l.PutBlob(t.Context(), d, strings.NewReader(doc)))
			return d
		}
		c := put("application/vnd.oci.image.config.v1+json", config)
		marshal := func(v any) string {
			data, err := json.Marshal(v)
			check(t, err)
			return string(data)
		}
		top := put(manifestMediaTypes()[0], marshal(map[string]any{"schemaVersion": 2, "config": c, "layers": []Descriptor{}}))
		for range depth {
			top = put(manifestMediaTypes()[1], marshal(map[string]any{"schemaVersion": 2, "manifests": []Descriptor{top}}))
		}
		m, err := l.Manifests(t.Context(), []Descriptor{top})
		check(t, err)
		check(t, l.PutTagged(t.Context(), m[0], "x"))
		return dir
	}
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, NewLayout(nest(maxGraphDepth)), NewLayout(dst), Options{})
	_, err := Copy(t.Context(), NewLayout(nest(maxGraphDepth+1)), NewLayout(dst), Options{})
	if !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestVerifierEnds(t *testing.T) {
	content := "some content"
	d := Descriptor{Digest: digest.FromString(content), Size: int64(len(content))}
	broken := io.MultiReader(strings.NewReader("some"), errorReader{io.ErrUnexpectedEOF})
	_, err := io.ReadFull(newVerifier(t.Context(), broken, d), make([]byte, 100))
	if err == io.ErrUnexpectedEOF || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrIntegrity) {
		t.Errorf("broken connection: %v", err)
	}
	_, err = io.ReadAll(newVerifier(t.Context(), strings.NewReader(content), d))
	check(t, err)
	for _, other := range []string{"", "some", "some contenT", "some content and more"} {
		if _, err = io.ReadAll(newVerifier(t.Context(), strings.NewReader(other), d)); !errors.Is(err, ErrIntegrity) {
			t.Errorf("%q: %v", other, err)
		}
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

func FuzzDecodeLayoutIndex(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"`+someSHA+`","size":1,"annotations":{"org.opencontainers.image.ref.name":"x"}}]}`), "x")
	f.Add([]byte(`{"manifests":[{"digest":"x"},null,1]}`), "")
	f.Add([]byte(`null`), "x")
	f.Fuzz(func(t *testing.T, data []byte, tag string) {
		if index, err := decodeLayoutIndex(data); err == nil {
			if d, err := pick(index, tag); err == nil {
				blobPath(d.Digest)
			}
		}
		_, _ = addToIndex(data, Descriptor{Digest: someSHA}, tag)
	})
}
