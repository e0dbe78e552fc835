package transfer

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/internal/compress"
	"github.com/ecrkit/ecrkit/transfer/internal/layercache"
)

// testTar is a tar in the making.
type testTar struct {
	t *testing.T
	b bytes.Buffer
	w *tar.Writer
}

func newTestTar(t *testing.T) *testTar {
	tt := &testTar{t: t}
	tt.w = tar.NewWriter(&tt.b)
	return tt
}

func (tt *testTar) file(name string, content []byte) {
	tt.t.Helper()
	check(tt.t, tt.w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}))
	_, err := tt.w.Write(content)
	check(tt.t, err)
}

func (tt *testTar) json(name string, content any) {
	tt.t.Helper()
	data, err := json.Marshal(content)
	check(tt.t, err)
	tt.file(name, data)
}

func (tt *testTar) link(typeflag byte, name, target string) {
	tt.t.Helper()
	check(tt.t, tt.w.WriteHeader(&tar.Header{Typeflag: typeflag, Name: name, Linkname: target, Mode: 0o777}))
}

func (tt *testTar) bytes() []byte {
	tt.t.Helper()
	check(tt.t, tt.w.Close())
	return tt.b.Bytes()
}

// save writes the tar to a file.
func (tt *testTar) save() string {
	tt.t.Helper()
	return tempFileOf(tt.t, tt.bytes())
}

func tempFileOf(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	check(t, os.WriteFile(path, data, 0o600))
	return path
}

// layerOf is a tar with one file of that many bytes, half of which can be compressed.
func layerOf(t *testing.T, size int, seed byte) []byte {
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{seed}).Read(data[:size/2])
	tt := newTestTar(t)
	tt.file("data", data)
	return tt.bytes()
}

// configOf is the config of an image with these layers.
func configOf(layers ...[]byte) map[string]any {
	diffIDs := []string{}
	for _, l := range layers {
		diffIDs = append(diffIDs, digest.FromBytes(l).String())
	}
	return map[string]any{"architecture": "amd64", "os": "linux", "config": map[string]any{}, "rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs}}
}

// legacySave is an archive as docker before 25.0 writes it: app:1 and app:2 share
// their first layer, which app:2 has as a link.
func legacySave(t *testing.T, base, top []byte) *testTar {
	tt := newTestTar(t)
	one, two, three := strings.Repeat("1", 64), strings.Repeat("2", 64), strings.Repeat("3", 64)
	tt.file(one+"/VERSION", []byte("1.0"))
	tt.file(one+"/layer.tar", base)
	tt.link(tar.TypeSymlink, two+"/layer.tar", "../"+one+"/layer.tar")
	tt.file(three+"/layer.tar", top)
	tt.json("one.json", configOf(base))
	tt.json("two.json", configOf(base, top))
	tt.json("manifest.json", []dockerImage{
		{"one.json", []string{"app:1"}, []string{one + "/layer.tar"}},
		{"two.json", []string{"app:2", "registry.example.com:5000/app:2"}, []string{two + "/layer.tar", three + "/layer.tar"}},
	})
	return tt
}

func openDocker(t *testing.T, path string, options DockerArchiveOptions) *DockerArchive {
	t.Helper()
	a, err := OpenDockerArchive(t.Context(), path, options)
	check(t, err)
	t.Cleanup(func() { check(t, a.Close()) })
	return a
}

func TestCopyDockerArchive(t *testing.T) {
	base, top := layerOf(t, 3<<20, 1), layerOf(t, 10_000, 2)
	plain := legacySave(t, base, top).bytes()
	packed := func(f compress.Format) []byte {
		var b bytes.Buffer
		check(t, new(compress.Compressor).Copy(t.Context(), &b, bytes.NewReader(plain), f, 2))
		return b.Bytes()
	}
	const docker, oci = "application/vnd.docker.", "application/vnd.oci."
	tests := []struct {
		outer       compress.Format
		compression Compression
		mediaType   string
		layer       string
		smaller     bool
	}{
		{compress.None, "", docker + "distribution.manifest.v2+json", docker + "image.rootfs.diff.tar.gzip", true},
		{compress.Gzip, CompressionGzip, docker + "distribution.manifest.v2+json", docker + "image.rootfs.diff.tar.gzip", true},
		{compress.Zstd, CompressionNone, docker + "distribution.manifest.v2+json", docker + "image.rootfs.diff.tar", false},
		{compress.None, CompressionZstd, oci + "image.manifest.v1+json", oci + "image.layer.v1.tar+zstd", true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s in %s", tt.compression, tt.outer), func(t *testing.T) {
			temp := t.TempDir()
			path := tempFileOf(t, packed(tt.outer))
			if kind := DetectKind(path); kind != KindDockerArchive {
				t.Errorf("it is taken for %q", kind)
			}
			a := openDocker(t, path, DockerArchiveOptions{Compression: tt.compression, TempDir: temp})
			dir := filepath.Join(t.TempDir(), "dst")
			result := mustCopy(t, a, NewLayout(dir), Options{Reference: "docker.io/library/app:2", Tags: []string{"x"}})
			if result.MediaType != tt.mediaType || result.BlobsSent != 3 {
				t.Errorf("result %+v", result)
			}
			m, err := NewLayout(dir).Resolve(t.Context(), "x")
			check(t, err)
			c, err := decodeManifest(m.Content, "")
			check(t, err)
			if got := c.blobs[1]; got.MediaType != tt.layer || got.Size < int64(len(base)) != tt.smaller {
				t.Errorf("first layer %+v", got)
			}
			// It checks diffIDs too, but of gzip only.
			if tt.smaller && tt.compression != CompressionZstd {
				validateLayout(t, dir)
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("left in the temporary directory: %v %v", left, err)
			}
		})
	}
}

func TestDockerArchivePicksImage(t *testing.T) {
	base, top := layerOf(t, 1000, 1), layerOf(t, 1000, 2)
	a := openDocker(t, legacySave(t, base, top).save(), DockerArchiveOptions{})
	two, err := a.Resolve(t.Context(), "registry.example.com:5000/app:2")
	check(t, err)
	config, err := json.Marshal(configOf(base, top))
	check(t, err)
	byID, err := a.Resolve(t.Context(), digest.FromBytes(config).String())
	check(t, err)
	if two.Descriptor.Digest != byID.Descriptor.Digest {
		t.Error("another image by its ID")
	}
	_, err = a.Resolve(t.Context(), "")
	if err == nil || !strings.HasSuffix(err.Error(), "has 2 images; say which one (app:1, app:2, registry.example.com:5000/app:2)") {
		t.Errorf("no name: %v", err)
	}
	if _, err = a.Resolve(t.Context(), "app:3"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "app:1, app:2") {
		t.Errorf("unknown name: %v", err)
	}
}

// Another tool's archive, whose layers are compressed: they stay as they are.
func TestDockerArchiveKeepsCompressedLayers(t *testing.T) {
	image, err := random.Image(5000, 3)
	check(t, err)
	tag, err := name.NewTag("app:1")
	check(t, err)
	path := filepath.Join(t.TempDir(), "x.tar")
	check(t, tarball.WriteToFile(path, tag, image))
	dir := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, openDocker(t, path, DockerArchiveOptions{Compression: CompressionNone}), NewLayout(dir), Options{Tags: []string{"x"}})
	validateLayout(t, dir)
	layers, err := image.Layers()
	check(t, err)
	for _, l := range layers {
		if _, err := os.Stat(blobFile(dir, digestOf(t, l))); err != nil {
			t.Error(err)
		}
	}
}

// Archives that are OCI layouts too, as docker writes them from 25.0 on.
func TestDockerArchiveWithLayout(t *testing.T) {
	image, err := random.Image(5000, 2)
	check(t, err)
	dir := filepath.Join(t.TempDir(), "src")
	p, err := layout.Write(dir, emptyIndex(t))
	check(t, err)
	check(t, p.AppendImage(image))
	m, err := NewLayout(dir).Resolve(t.Context(), "")
	check(t, err)
	c, err := decodeManifest(m.Content, "")
	check(t, err)
	entry := dockerImage{Config: blobPath(c.blobs[0].Digest), RepoTags: []string{"app:1"}}
	for _, b := range c.blobs[1:] {
		entry.Layers = append(entry.Layers, blobPath(b.Digest))
	}
	manifest, err := json.Marshal([]dockerImage{entry})
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "manifest.json"), manifest, 0o600))
	path := tempFileOf(t, tarOf(t, dir, ""))

	if kind := DetectKind(path); kind != KindArchive {
		t.Errorf("whole: it is taken for %q", kind)
	}
	got, err := openDocker(t, path, DockerArchiveOptions{}).Resolve(t.Context(), "app:1")
	check(t, err)
	if got.Descriptor.Digest != digestOf(t, image) {
		t.Error("the manifest in the archive was not used")
	}

	// Without a layer that docker's manifest does not need, it is an archive of
	// docker only.
	check(t, os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(strings.Replace(string(manifest), "app:1", "app:2", 1)), 0o600))
	check(t, os.Rename(blobFile(dir, c.blobs[1].Digest), filepath.Join(dir, "moved")))
	check(t, os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(strings.Replace(string(manifest), entry.Layers[0], "moved", 1)), 0o600))
	path = tempFileOf(t, tarOf(t, dir, ""))
	if kind := DetectKind(path); kind != KindDockerArchive {
		t.Errorf("in parts: it is taken for %q", kind)
	}
	got, err = openDocker(t, path, DockerArchiveOptions{}).Resolve(t.Context(), "app:1")
	check(t, err)
	if got.Descriptor.MediaType != mediaTypeDockerManifest {
		t.Errorf("%+v", got.Descriptor)
	}
}

func TestDockerArchiveCache(t *testing.T) {
	base, top := layerOf(t, 100_000, 1), layerOf(t, 10_000, 2)
	options := DockerArchiveOptions{CacheDir: filepath.Join(t.TempDir(), "cache"), TempDir: t.TempDir()}
	dst := NewLayout(filepath.Join(t.TempDir(), "dst"))
	first := mustCopy(t, openDocker(t, legacySave(t, base, top).save(), options), dst, Options{Reference: "app:2"})

	// An archive with other bytes in the place of the layers shows that nobody reads
	// them: neither to compress nor to hash them.
	wrong := legacySave(t, base, top).bytes()
	for _, l := range [][]byte{base, top} {
		at := bytes.Index(wrong, l) + len(l)/2
		wrong[at] ^= 1
	}
	path := tempFileOf(t, wrong)
	second := mustCopy(t, openDocker(t, path, options), dst, Options{Reference: "app:2"})
	if second.Digest != first.Digest || second.BlobsSent != 0 {
		t.Errorf("second copy %+v", second)
	}
	// Where the layers are not there, they are read, and checked.
	empty := NewLayout(filepath.Join(t.TempDir(), "empty"))
	if _, err := Copy(t.Context(), openDocker(t, path, options), empty, Options{Reference: "app:2"}); !errors.Is(err, ErrIntegrity) {
		t.Errorf("wrong bytes: %v", err)
	}
	third := mustCopy(t, openDocker(t, legacySave(t, base, top).save(), options), empty, Options{Reference: "app:2"})
	// The failed copy may have left the config.
	if third.Digest != first.Digest || third.BlobsSent < 2 {
		t.Errorf("third copy %+v", third)
	}
	validateLayout(t, empty.dir)
}

// A note of another digest than the layer has does not get through, and not twice.
func TestDockerArchiveWrongCache(t *testing.T) {
	base, top := layerOf(t, 100_000, 1), layerOf(t, 10_000, 2)
	path := legacySave(t, base, top).save()
	options := DockerArchiveOptions{CacheDir: filepath.Join(t.TempDir(), "cache")}
	key := layercache.Key{DiffID: digest.FromBytes(base), Version: compress.Version(compress.Gzip)}
	check(t, layercache.Dir(options.CacheDir).Put(key, layercache.Layer{Digest: digest.FromString("other"), Size: 5}))
	dir := filepath.Join(t.TempDir(), "dst")
	_, err := Copy(t.Context(), openDocker(t, path, options), NewLayout(dir), Options{Reference: "app:1"})
	if err == nil || !strings.Contains(err.Error(), "try again") {
		t.Errorf("wrong note: %v", err)
	}
	mustCopy(t, openDocker(t, path, options), NewLayout(dir), Options{Reference: "app:1"})
	validateLayout(t, dir)
}

func TestDockerArchiveRefuses(t *testing.T) {
	base := layerOf(t, 1000, 1)
	build := func(change func(tt *testTar)) string {
		tt := newTestTar(t)
		tt.json("c.json", configOf(base))
		tt.json("manifest.json", []dockerImage{{Config: "c.json", Layers: []string{"l"}}})
		change(tt)
		return tt.save()
	}
	tests := map[string]struct {
		path string
		want error
		text string
	}{
		"other bytes":    {build(func(tt *testTar) { tt.file("l", layerOf(t, 1000, 2)) }), ErrIntegrity, "the config of the image says"},
		"no layer":       {build(func(tt *testTar) {}), ErrNotFound, "lacks the layer l"},
		"link outside":   {build(func(tt *testTar) { tt.link(tar.TypeSymlink, "l", "../../etc/passwd") }), ErrIntegrity, "link out of the archive"},
		"absolute link":  {build(func(tt *testTar) { tt.link(tar.TypeSymlink, "l", "/etc/passwd") }), ErrIntegrity, "link out of the archive"},
		"links in a row": {build(func(tt *testTar) { tt.link(tar.TypeSymlink, "l", "m"); tt.link(tar.TypeLink, "m", "l") }), ErrNotFound, "lacks the layer"},
		"device":         {build(func(tt *testTar) { tt.link(tar.TypeChar, "l", "") }), ErrNotFound, "lacks the layer"},
		"bzip2":          {build(func(tt *testTar) { tt.file("l", []byte("BZh91AY&SY")) }), ErrUnsupported, "compressed by bzip2"},
		"layers": {build(func(tt *testTar) {
			tt.json("manifest.json", []dockerImage{{Config: "c.json", Layers: []string{"l", "l"}}})
		}), ErrIntegrity, "names 1 layers"},
		"sha512": {build(func(tt *testTar) {
			tt.json("c.json", map[string]any{"rootfs": map[string]any{"diff_ids": []string{digest.SHA512.FromString("").String()}}})
		}), ErrUnsupported, "not a sha256"},
		"no config":      {build(func(tt *testTar) { tt.json("manifest.json", []dockerImage{{Layers: []string{"l"}}}) }), ErrIntegrity, "without a config"},
		"no JSON":        {build(func(tt *testTar) { tt.file("manifest.json", []byte("[")) }), ErrIntegrity, "manifest.json"},
		"large manifest": {build(func(tt *testTar) { tt.file("manifest.json", make([]byte, MaxManifestSize+1)) }), ErrIntegrity, "longer than"},
		"large config":   {build(func(tt *testTar) { tt.file("c.json", make([]byte, MaxManifestSize+1)) }), ErrIntegrity, "longer than"},
		"nothing":        {build(func(tt *testTar) { tt.file("manifest.json", []byte("[]")) }), ErrNotFound, "has no image"},
		"old docker": {func() string {
			tt := newTestTar(t)
			tt.file("repositories", []byte("{}"))
			return tt.save()
		}(), ErrUnsupported, "docker before 1.10"},
		"no tar": {tempFileOf(t, bytes.Repeat([]byte("text "), 1000)), ErrIntegrity, "not a tar file"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, err := OpenDockerArchive(t.Context(), tt.path, DockerArchiveOptions{})
			if err == nil {
				defer a.Close()
				_, err = Copy(t.Context(), a, NewLayout(filepath.Join(t.TempDir(), "d")), Options{})
			}
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

func TestDockerArchiveEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := openDocker(t, legacySave(t, layerOf(t, 1<<20, 1), layerOf(t, 10, 2)).save(), DockerArchiveOptions{})
	cancel()
	if _, err := a.Resolve(ctx, "app:2"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// A stream that brings nothing.
	r, _ := io.Pipe()
	defer r.Close()
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if _, err := spoolImageFile(ctx, r, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func FuzzDockerManifest(f *testing.F) {
	f.Add([]byte(`[{"Config":"c.json","RepoTags":["app:1"],"Layers":["l/layer.tar"]}]`), []byte(`{"rootfs":{"diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}`))
	f.Add([]byte(`null`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, manifest, config []byte) {
		images, err := decodeDockerManifest(manifest)
		if err != nil {
			return
		}
		m, err := pickDockerImage(images, "", func(dockerImage) digest.Digest { return "" })
		if err != nil {
			return
		}
		if c, err := decodeDockerConfig(config, len(m.Layers)); err == nil && len(c.RootFS.DiffIDs) != len(m.Layers) {
			t.Error("a layer without diffID")
		}
	})
}
