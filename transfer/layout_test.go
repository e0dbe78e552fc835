package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

func TestCopyLayoutToLayout(t *testing.T) {
	dir, image, index := fixture.Layout(t, 3)
	clock := time.Unix(0, 0)
	opts := Options{Reference: "index", Tags: []string{"1.0", "latest"}, Now: func() time.Time {
		clock = clock.Add(1500 * time.Millisecond)
		return clock
	}}
	dst := filepath.Join(t.TempDir(), "new", "dst")
	result := mustCopy(t, layout.New(dir), layout.New(dst), opts)
	if result.Digest != fixture.DigestOf(t, index) || result.BlobsSent != 8 || result.BlobsSkipped != 0 || result.BytesSent < 12000 || result.Seconds != 1.5 {
		t.Errorf("result %+v", result)
	}
	fixture.ValidateLayout(t, dst)
	if !layout.Is(dst) {
		t.Error("IsLayout is false")
	}
	for _, tag := range opts.Tags {
		m, err := layout.New(dst).Resolve(t.Context(), tag)
		fixture.Check(t, err)
		if m.Descriptor.Digest != fixture.DigestOf(t, index) {
			t.Errorf("%s names %s", tag, m.Descriptor.Digest)
		}
	}

	again := mustCopy(t, layout.New(dir), layout.New(dst), opts)
	if again.BlobsSent != 0 || again.BlobsSkipped != 8 || again.BytesSkipped != result.BytesSent {
		t.Errorf("second result %+v", again)
	}
	mustCopy(t, layout.New(dir), layout.New(dst), Options{Reference: "image", Tags: []string{"1.0"}})
	m, err := layout.New(dst).Resolve(t.Context(), "1.0")
	fixture.Check(t, err)
	if m.Descriptor.Digest != fixture.DigestOf(t, image) {
		t.Error("the tag 1.0 did not move")
	}
	fixture.ValidateLayout(t, dst)
}

func TestResultJSON(t *testing.T) {
	data, err := json.Marshal(Result{Digest: someSHA, MediaType: "a/b", ManifestSize: 9, Tags: []string{}, BlobsSent: 1, BlobsSkipped: 2, BytesSent: 3, BytesSkipped: 4, Calls: map[string]int{"PutImage": 1}, Seconds: 0.5})
	fixture.Check(t, err)
	want := `{"digest":"` + someSHA + `","mediaType":"a/b","manifestSize":9,"tags":[],"blobsSent":1,"blobsSkipped":2,"blobsMounted":0,"bytesSent":3,"bytesResumed":0,"bytesSkipped":4,"bytesMounted":0,"calls":{"PutImage":1},"retries":0,"seconds":0.5}`
	if string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
}

// TestCopyDetectsDamage damages each kind of content in the source.
func TestCopyDetectsDamage(t *testing.T) {
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	longer := func(b []byte) []byte { return append(b, ' ') }
	shorter := func(b []byte) []byte { return b[:len(b)-1] }
	for name, damage := range map[string]func([]byte) []byte{"flip": flip, "longer": longer, "shorter": shorter} {
		for _, what := range []string{"root", "child", "layer", "config"} {
			t.Run(name+" "+what, func(t *testing.T) {
				src, _, index := fixture.Layout(t, 1)
				manifest, err := index.IndexManifest()
				fixture.Check(t, err)
				child, err := index.Image(manifest.Manifests[1].Digest)
				fixture.Check(t, err)
				config, err := child.ConfigName()
				fixture.Check(t, err)
				layers, err := child.Layers()
				fixture.Check(t, err)
				file := fixture.BlobFile(src, map[string]digest.Digest{
					"root":   fixture.DigestOf(t, index),
					"child":  fixture.DigestOf(t, child),
					"layer":  fixture.DigestOf(t, layers[0]),
					"config": digest.Digest(config.String()),
				}[what])
				data, err := os.ReadFile(file)
				fixture.Check(t, err)
				fixture.Check(t, os.WriteFile(file, damage(data), 0o666))
				dst := filepath.Join(t.TempDir(), "dst")
				_, err = Copy(t.Context(), layout.New(src), layout.New(dst), Options{Reference: "index", Tags: []string{"x"}})
				if !errors.Is(err, content.ErrIntegrity) {
					t.Fatalf("got %v", err)
				}
				if layout.Is(dst) {
					fixture.ValidateLayout(t, dst)
					if _, err := layout.New(dst).Resolve(t.Context(), "x"); !errors.Is(err, content.ErrNotFound) {
						t.Errorf("the image is visible: %v", err)
					}
				}
			})
		}
	}
}

func TestCopyMissingContent(t *testing.T) {
	src, image, index := fixture.Layout(t, 1)
	layers, err := image.Layers()
	fixture.Check(t, err)
	fixture.Check(t, os.Remove(fixture.BlobFile(src, fixture.DigestOf(t, layers[0]))))
	manifest, err := index.IndexManifest()
	fixture.Check(t, err)
	fixture.Check(t, os.Remove(fixture.BlobFile(src, digest.Digest(manifest.Manifests[0].Digest.String()))))
	for _, reference := range []string{"image", "index"} {
		_, err := Copy(t.Context(), layout.New(src), layout.New(filepath.Join(t.TempDir(), "d")), Options{Reference: reference})
		if !errors.Is(err, content.ErrNotFound) || !strings.Contains(err.Error(), "incomplete") {
			t.Errorf("%s: got %v", reference, err)
		}
	}
}

func TestCopyWantsDigest(t *testing.T) {
	src, image, _ := fixture.Layout(t, 1)
	dst := layout.New(filepath.Join(t.TempDir(), "d"))
	_, err := Copy(t.Context(), layout.New(src), dst, Options{Reference: "image", Digest: someSHA})
	if !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("got %v", err)
	}
	mustCopy(t, layout.New(src), dst, Options{Reference: "image", Digest: fixture.DigestOf(t, image)})
}

func TestCopyCanceled(t *testing.T) {
	src, _, _ := fixture.Layout(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Copy(ctx, layout.New(src), layout.New(filepath.Join(t.TempDir(), "d")), Options{Reference: "image"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestGraphLimits(t *testing.T) {
	nest := func(depth int) string {
		dir := filepath.Join(t.TempDir(), "src")
		l := layout.New(dir)
		config := `{}`
		put := func(mediaType, doc string) content.Descriptor {
			d := content.Descriptor{MediaType: mediaType, Digest: digest.FromString(doc), Size: int64(len(doc))}
			fixture.Check(t, l.PutBlob(t.Context(), d, strings.NewReader(doc)))
			return d
		}
		c := put("application/vnd.oci.image.config.v1+json", config)
		marshal := func(v any) string {
			data, err := json.Marshal(v)
			fixture.Check(t, err)
			return string(data)
		}
		top := put(content.ManifestMediaTypes()[0], marshal(map[string]any{"schemaVersion": 2, "config": c, "layers": []content.Descriptor{}}))
		for range depth {
			top = put(content.ManifestMediaTypes()[1], marshal(map[string]any{"schemaVersion": 2, "manifests": []content.Descriptor{top}}))
		}
		m, err := l.Manifests(t.Context(), []content.Descriptor{top})
		fixture.Check(t, err)
		fixture.Check(t, l.PutTagged(t.Context(), m[0], "x"))
		return dir
	}
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, layout.New(nest(imagetree.MaxTreeDepth)), layout.New(dst), Options{})
	_, err := Copy(t.Context(), layout.New(nest(imagetree.MaxTreeDepth+1)), layout.New(dst), Options{})
	if !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
