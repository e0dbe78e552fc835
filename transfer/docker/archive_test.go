package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/transfer/docker"

	"github.com/google/go-containerregistry/pkg/name"
	ggcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	ggcrtarball "github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/compress"
	"github.com/ecrkit/ecrkit/transfer/internal/dockersave"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/internal/layercache"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

func openDocker(t *testing.T, path string, options docker.ArchiveOptions) *docker.Archive {
	t.Helper()
	a, err := docker.OpenArchive(t.Context(), path, options)
	fixture.Check(t, err)
	t.Cleanup(func() { fixture.Check(t, a.Close()) })
	return a
}

func TestCopyDockerArchive(t *testing.T) {
	base, top := fixture.LayerOf(t, 3<<20, 1), fixture.LayerOf(t, 10_000, 2)
	plain := fixture.LegacySave(t, base, top).Bytes()
	packed := func(f compress.Format) []byte {
		var b bytes.Buffer
		fixture.Check(t, new(compress.Compressor).Copy(t.Context(), &b, bytes.NewReader(plain), f, 2))
		return b.Bytes()
	}
	const dockerType, oci = "application/vnd.docker.", "application/vnd.oci."
	tests := []struct {
		outer       compress.Format
		compression docker.Compression
		mediaType   string
		layer       string
		smaller     bool
	}{
		{compress.None, "", dockerType + "distribution.manifest.v2+json", dockerType + "image.rootfs.diff.tar.gzip", true},
		{compress.Gzip, docker.CompressionGzip, dockerType + "distribution.manifest.v2+json", dockerType + "image.rootfs.diff.tar.gzip", true},
		{compress.Zstd, docker.CompressionNone, dockerType + "distribution.manifest.v2+json", dockerType + "image.rootfs.diff.tar", false},
		{compress.None, docker.CompressionZstd, oci + "image.manifest.v1+json", oci + "image.layer.v1.tar+zstd", true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s in %s", tt.compression, tt.outer), func(t *testing.T) {
			temp := t.TempDir()
			path := fixture.TempFileOf(t, packed(tt.outer))
			if kind := ref.Detect(path); kind != ref.KindDockerArchive {
				t.Errorf("it is taken for %q", kind)
			}
			a := openDocker(t, path, docker.ArchiveOptions{Compression: tt.compression, TempDir: temp})
			dir := filepath.Join(t.TempDir(), "dst")
			result := mustCopy(t, a, layout.New(dir), transfer.Options{Reference: "docker.io/library/app:2", Tags: []string{"x"}})
			if result.MediaType != tt.mediaType || result.BlobsSent != 3 {
				t.Errorf("result %+v", result)
			}
			m, err := layout.New(dir).Resolve(t.Context(), "x")
			fixture.Check(t, err)
			c, err := content.DecodeManifest(m.Content, "")
			fixture.Check(t, err)
			if got := c.Blobs[1]; got.MediaType != tt.layer || got.Size < int64(len(base)) != tt.smaller {
				t.Errorf("first layer %+v", got)
			}
			// It checks diffIDs too, but of gzip only.
			if tt.smaller && tt.compression != docker.CompressionZstd {
				fixture.ValidateLayout(t, dir)
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("left in the temporary directory: %v %v", left, err)
			}
		})
	}
}

func TestDockerArchivePicksImage(t *testing.T) {
	base, top := fixture.LayerOf(t, 1000, 1), fixture.LayerOf(t, 1000, 2)
	a := openDocker(t, fixture.LegacySave(t, base, top).Save(), docker.ArchiveOptions{})
	two, err := a.Resolve(t.Context(), "registry.example.com:5000/app:2")
	fixture.Check(t, err)
	config, err := json.Marshal(fixture.ConfigOf(base, top))
	fixture.Check(t, err)
	byID, err := a.Resolve(t.Context(), digest.FromBytes(config).String())
	fixture.Check(t, err)
	if two.Descriptor.Digest != byID.Descriptor.Digest {
		t.Error("another image by its ID")
	}
	_, err = a.Resolve(t.Context(), "")
	if err == nil || !strings.HasSuffix(err.Error(), "has 2 images; say which one (app:1, app:2, registry.example.com:5000/app:2)") {
		t.Errorf("no name: %v", err)
	}
	if _, err = a.Resolve(t.Context(), "app:3"); !errors.Is(err, content.ErrNotFound) || !strings.Contains(err.Error(), "app:1, app:2") {
		t.Errorf("unknown name: %v", err)
	}
}

// Another tool's archive, whose layers are compressed: they stay as they are.
func TestDockerArchiveKeepsCompressedLayers(t *testing.T) {
	image, err := random.Image(5000, 3)
	fixture.Check(t, err)
	tag, err := name.NewTag("app:1")
	fixture.Check(t, err)
	path := filepath.Join(t.TempDir(), "x.tar")
	fixture.Check(t, ggcrtarball.WriteToFile(path, tag, image))
	dir := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, openDocker(t, path, docker.ArchiveOptions{Compression: docker.CompressionNone}), layout.New(dir), transfer.Options{Tags: []string{"x"}})
	fixture.ValidateLayout(t, dir)
	layers, err := image.Layers()
	fixture.Check(t, err)
	for _, l := range layers {
		if _, err := os.Stat(fixture.BlobFile(dir, fixture.DigestOf(t, l))); err != nil {
			t.Error(err)
		}
	}
}

// Archives that are OCI layouts too, as docker writes them from 25.0 on.
func TestDockerArchiveWithLayout(t *testing.T) {
	image, err := random.Image(5000, 2)
	fixture.Check(t, err)
	dir := filepath.Join(t.TempDir(), "src")
	p, err := ggcrlayout.Write(dir, fixture.EmptyIndex(t))
	fixture.Check(t, err)
	fixture.Check(t, p.AppendImage(image))
	m, err := layout.New(dir).Resolve(t.Context(), "")
	fixture.Check(t, err)
	c, err := content.DecodeManifest(m.Content, "")
	fixture.Check(t, err)
	entry := dockersave.Image{Config: layout.BlobPath(c.Blobs[0].Digest), RepoTags: []string{"app:1"}}
	for _, b := range c.Blobs[1:] {
		entry.Layers = append(entry.Layers, layout.BlobPath(b.Digest))
	}
	manifest, err := json.Marshal([]dockersave.Image{entry})
	fixture.Check(t, err)
	fixture.Check(t, os.WriteFile(filepath.Join(dir, "manifest.json"), manifest, 0o600))
	path := fixture.TempFileOf(t, fixture.TarOf(t, dir, ""))

	if kind := ref.Detect(path); kind != ref.KindArchive {
		t.Errorf("whole: it is taken for %q", kind)
	}
	got, err := openDocker(t, path, docker.ArchiveOptions{}).Resolve(t.Context(), "app:1")
	fixture.Check(t, err)
	if got.Descriptor.Digest != fixture.DigestOf(t, image) {
		t.Error("the manifest in the archive was not used")
	}

	// Without a layer that docker's manifest does not need, it is an archive of
	// docker only.
	fixture.Check(t, os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(strings.Replace(string(manifest), "app:1", "app:2", 1)), 0o600))
	fixture.Check(t, os.Rename(fixture.BlobFile(dir, c.Blobs[1].Digest), filepath.Join(dir, "moved")))
	fixture.Check(t, os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(strings.Replace(string(manifest), entry.Layers[0], "moved", 1)), 0o600))
	path = fixture.TempFileOf(t, fixture.TarOf(t, dir, ""))
	if kind := ref.Detect(path); kind != ref.KindDockerArchive {
		t.Errorf("in parts: it is taken for %q", kind)
	}
	got, err = openDocker(t, path, docker.ArchiveOptions{}).Resolve(t.Context(), "app:1")
	fixture.Check(t, err)
	if got.Descriptor.MediaType != content.MediaTypeDockerManifest {
		t.Errorf("%+v", got.Descriptor)
	}
}

func TestDockerArchiveCache(t *testing.T) {
	base, top := fixture.LayerOf(t, 100_000, 1), fixture.LayerOf(t, 10_000, 2)
	options := docker.ArchiveOptions{CacheDir: filepath.Join(t.TempDir(), "cache"), TempDir: t.TempDir()}
	dst := layout.New(filepath.Join(t.TempDir(), "dst"))
	first := mustCopy(t, openDocker(t, fixture.LegacySave(t, base, top).Save(), options), dst, transfer.Options{Reference: "app:2"})

	// An archive with other bytes in the place of the layers shows that nobody reads
	// them: neither to compress nor to hash them.
	wrong := fixture.LegacySave(t, base, top).Bytes()
	for _, l := range [][]byte{base, top} {
		at := bytes.Index(wrong, l) + len(l)/2
		wrong[at] ^= 1
	}
	path := fixture.TempFileOf(t, wrong)
	second := mustCopy(t, openDocker(t, path, options), dst, transfer.Options{Reference: "app:2"})
	if second.Digest != first.Digest || second.BlobsSent != 0 {
		t.Errorf("second copy %+v", second)
	}
	// Where the layers are not there, they are read, and checked.
	empty := layout.New(filepath.Join(t.TempDir(), "empty"))
	if _, err := transfer.Copy(t.Context(), openDocker(t, path, options), empty, transfer.Options{Reference: "app:2"}); !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("wrong bytes: %v", err)
	}
	third := mustCopy(t, openDocker(t, fixture.LegacySave(t, base, top).Save(), options), empty, transfer.Options{Reference: "app:2"})
	// The failed copy may have left the config.
	if third.Digest != first.Digest || third.BlobsSent < 2 {
		t.Errorf("third copy %+v", third)
	}
	fixture.ValidateLayout(t, empty.Dir())
}

// A note of another digest than the layer has does not get through, and not twice.
func TestDockerArchiveWrongCache(t *testing.T) {
	base, top := fixture.LayerOf(t, 100_000, 1), fixture.LayerOf(t, 10_000, 2)
	path := fixture.LegacySave(t, base, top).Save()
	options := docker.ArchiveOptions{CacheDir: filepath.Join(t.TempDir(), "cache")}
	key := layercache.Key{DiffID: digest.FromBytes(base), Version: compress.Version(compress.Gzip)}
	fixture.Check(t, layercache.Dir(options.CacheDir).Put(key, layercache.Layer{Digest: digest.FromString("other"), Size: 5}))
	dir := filepath.Join(t.TempDir(), "dst")
	_, err := transfer.Copy(t.Context(), openDocker(t, path, options), layout.New(dir), transfer.Options{Reference: "app:1"})
	if err == nil || !strings.Contains(err.Error(), "try again") {
		t.Errorf("wrong note: %v", err)
	}
	mustCopy(t, openDocker(t, path, options), layout.New(dir), transfer.Options{Reference: "app:1"})
	fixture.ValidateLayout(t, dir)
}

func TestDockerArchiveRefuses(t *testing.T) {
	base := fixture.LayerOf(t, 1000, 1)
	build := func(change func(tt *fixture.TestTar)) string {
		tt := fixture.NewTestTar(t)
		tt.JSON("c.json", fixture.ConfigOf(base))
		tt.JSON("manifest.json", []dockersave.Image{{Config: "c.json", Layers: []string{"l"}}})
		change(tt)
		return tt.Save()
	}
	tests := map[string]struct {
		path string
		want error
		text string
	}{
		"other bytes":    {build(func(tt *fixture.TestTar) { tt.File("l", fixture.LayerOf(t, 1000, 2)) }), content.ErrIntegrity, "the config of the image says"},
		"no layer":       {build(func(tt *fixture.TestTar) {}), content.ErrNotFound, "lacks the layer l"},
		"link outside":   {build(func(tt *fixture.TestTar) { tt.Link(tar.TypeSymlink, "l", "../../etc/passwd") }), content.ErrIntegrity, "link out of the archive"},
		"absolute link":  {build(func(tt *fixture.TestTar) { tt.Link(tar.TypeSymlink, "l", "/etc/passwd") }), content.ErrIntegrity, "link out of the archive"},
		"links in a row": {build(func(tt *fixture.TestTar) { tt.Link(tar.TypeSymlink, "l", "m"); tt.Link(tar.TypeLink, "m", "l") }), content.ErrNotFound, "lacks the layer"},
		"device":         {build(func(tt *fixture.TestTar) { tt.Link(tar.TypeChar, "l", "") }), content.ErrNotFound, "lacks the layer"},
		"bzip2":          {build(func(tt *fixture.TestTar) { tt.File("l", []byte("BZh91AY&SY")) }), content.ErrUnsupported, "compressed by bzip2"},
		"layers": {build(func(tt *fixture.TestTar) {
			tt.JSON("manifest.json", []dockersave.Image{{Config: "c.json", Layers: []string{"l", "l"}}})
		}), content.ErrIntegrity, "names 1 layers"},
		"sha512": {build(func(tt *fixture.TestTar) {
			tt.JSON("c.json", map[string]any{"rootfs": map[string]any{"diff_ids": []string{digest.SHA512.FromString("").String()}}})
		}), content.ErrUnsupported, "not a sha256"},
		"no config":      {build(func(tt *fixture.TestTar) { tt.JSON("manifest.json", []dockersave.Image{{Layers: []string{"l"}}}) }), content.ErrIntegrity, "without a config"},
		"no JSON":        {build(func(tt *fixture.TestTar) { tt.File("manifest.json", []byte("[")) }), content.ErrIntegrity, "manifest.json"},
		"large manifest": {build(func(tt *fixture.TestTar) { tt.File("manifest.json", make([]byte, content.MaxManifestSize+1)) }), content.ErrIntegrity, "longer than"},
		"large config":   {build(func(tt *fixture.TestTar) { tt.File("c.json", make([]byte, content.MaxManifestSize+1)) }), content.ErrIntegrity, "longer than"},
		"nothing":        {build(func(tt *fixture.TestTar) { tt.File("manifest.json", []byte("[]")) }), content.ErrNotFound, "has no image"},
		"old docker": {func() string {
			tt := fixture.NewTestTar(t)
			tt.File("repositories", []byte("{}"))
			return tt.Save()
		}(), content.ErrUnsupported, "docker before 1.10"},
		"no tar": {fixture.TempFileOf(t, bytes.Repeat([]byte("text "), 1000)), content.ErrIntegrity, "not a tar archive"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, err := docker.OpenArchive(t.Context(), tt.path, docker.ArchiveOptions{})
			if err == nil {
				defer a.Close()
				_, err = transfer.Copy(t.Context(), a, layout.New(filepath.Join(t.TempDir(), "d")), transfer.Options{})
			}
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

func TestDockerArchiveEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := openDocker(t, fixture.LegacySave(t, fixture.LayerOf(t, 1<<20, 1), fixture.LayerOf(t, 10, 2)).Save(), docker.ArchiveOptions{})
	cancel()
	if _, err := a.Resolve(ctx, "app:2"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// A stream that brings nothing.
	r, _ := io.Pipe()
	defer r.Close()
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if _, err := tarball.Spool(ctx, r, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
