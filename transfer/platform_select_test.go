package transfer

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/localecr"
)

// platformImage makes an image whose config has the platform.
func platformImage(t *testing.T, p string) v1.Image {
	t.Helper()
	image, err := random.Image(100, 1)
	check(t, err)
	platform, err := v1.ParsePlatform(p)
	check(t, err)
	config, err := image.ConfigFile()
	check(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant, config.OSVersion = platform.OS, platform.Architecture, platform.Variant, platform.OSVersion
	image, err = mutate.ConfigFile(image, config)
	check(t, err)
	return image
}

// platformIndex makes an OCI layout, by code that is not ours, with an index
// under the tag "index": an image for each platform, the descriptor of which has it
// unless it begins with "-", each with an attestation after it.
func platformIndex(t *testing.T, platforms ...string) (dir string, index v1.ImageIndex, images []digest.Digest) {
	t.Helper()
	index = empty.Index
	for _, name := range platforms {
		name, inConfig := strings.CutPrefix(name, "-")
		image := platformImage(t, name)
		images = append(images, digestOf(t, image))
		add := mutate.IndexAddendum{Add: image}
		if !inConfig {
			var err error
			add.Platform, err = v1.ParsePlatform(name)
			check(t, err)
		}
		index = mutate.AppendManifests(index, add)
		attestation := platformImage(t, "unknown/unknown")
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{
			Platform:    &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{attestedAnnotation: string(digestOf(t, image)), "vnd.docker.reference.type": "attestation-manifest"},
		}})
	}
	index = mutate.Annotations(index, map[string]string{"title": "a<b"}).(v1.ImageIndex)
	dir = filepath.Join(t.TempDir(), "platforms")
	p, err := layout.Write(dir, empty.Index)
	check(t, err)
	check(t, p.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "index"})))
	return dir, index, images
}

func parsePlatforms(t *testing.T, names ...string) (platforms []Platform) {
	t.Helper()
	for _, name := range names {
		p, err := ParsePlatform(name)
		check(t, err)
		platforms = append(platforms, p)
	}
	return platforms
}

func TestSelectOnePlatform(t *testing.T) {
	dir, _, images := platformIndex(t, "linux/amd64", "-linux/arm/v7", "linux/arm/v6", "linux/arm64/v8")
	for name, want := range map[string]digest.Digest{
		"linux/x86_64": images[0], "linux/arm": images[1], "linux/arm/v6": images[2], "linux/arm64": images[3],
	} {
		dst := filepath.Join(t.TempDir(), "dst")
		result := mustCopy(t, NewLayout(dir), NewLayout(dst), Options{Reference: "index", Tags: []string{"x"}, Platforms: parsePlatforms(t, name), KeepDigest: true})
		if result.Digest != want || result.BlobsSent != 2 {
			t.Errorf("%s: %+v, want %s", name, result, want)
		}
		validateLayout(t, dst)
	}
}

func TestSelectPlatforms(t *testing.T) {
	dir, index, images := platformIndex(t, "linux/amd64", "-linux/arm/v7", "linux/arm/v6", "linux/arm64/v8")
	whole := digestOf(t, index)
	for names, want := range map[string][]digest.Digest{
		"linux/amd64 linux/arm64":               {images[0], images[3]},
		"linux/arm64 linux/amd64 linux/aarch64": {images[0], images[3]},
		"linux/arm/*":                           {images[1], images[2]},
		"linux/arm/* linux/amd64/*":             images[:3],
		"linux/arm/* linux/amd64 linux/arm64":   nil,
	} {
		dst := filepath.Join(t.TempDir(), "dst")
		opts := Options{Reference: "index", Tags: []string{"x"}, Platforms: parsePlatforms(t, strings.Fields(names)...)}
		result := mustCopy(t, NewLayout(dir), NewLayout(dst), opts)
		validateLayout(t, dst)
		opts.KeepDigest = true
		_, err := Copy(t.Context(), NewLayout(dir), NewLayout(filepath.Join(t.TempDir(), "d")), opts)
		if want == nil {
			if result.Digest != whole || err != nil {
				t.Errorf("%s: %s, %v, want the whole index", names, result.Digest, err)
			}
			continue
		}
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "another digest") {
			t.Errorf("%s with KeepDigest: %v", names, err)
		}
		root, err := layout.ImageIndexFromPath(dst)
		check(t, err)
		top, err := root.IndexManifest()
		check(t, err)
		got, err := root.ImageIndex(top.Manifests[0].Digest)
		check(t, err)
		m, err := got.IndexManifest()
		check(t, err)
		var found []digest.Digest
		for i, d := range m.Manifests {
			if i%2 == 0 {
				found = append(found, digest.Digest(d.Digest.String()))
			} else if d.Annotations[attestedAnnotation] != string(found[len(found)-1]) {
				t.Errorf("%s: entry %d does not attest the one before", names, i)
			}
		}
		if !slices.Equal(found, want) || len(m.Manifests) != 2*len(want) || m.Annotations["title"] != "a<b" {
			t.Errorf("%s: %v, want %v", names, m, want)
		}
	}
}

// TestSelectCalls has two of three platforms go from ECR to ECR, which takes no
// index without its images.
func TestSelectCalls(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	dir, _, _ := platformIndex(t, "linux/amd64", "linux/arm64", "linux/s390x")
	mustCopy(t, NewLayout(dir), w.repository("app"), Options{Reference: "index", Tags: []string{"1"}})
	w.calls.Reset()
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, w.repository("app"), NewLayout(dst), Options{Reference: "1", Platforms: parsePlatforms(t, "linux/arm64")})
	if n := w.calls.Count("BatchGetImage"); n != 2 {
		t.Errorf("%d calls of BatchGetImage for one platform", n)
	}
	w.calls.Reset()
	w.create("other", "MUTABLE")
	w.calls.Reset()
	mustCopy(t, w.repository("app"), w.repository("other"), Options{Reference: "1", Tags: []string{"1"}, Platforms: parsePlatforms(t, "linux/arm64", "linux/amd64")})
	if got, put := w.calls.Count("BatchGetImage"), w.calls.Count("PutImage"); got != 2 || put != 5 {
		t.Errorf("%d calls of BatchGetImage, %d of PutImage for two platforms", got, put)
	}
}

func TestSelectRefuses(t *testing.T) {
	dir, _, _ := platformIndex(t, "linux/amd64", "-linux/arm/v7", "windows/amd64:10.0.1.2", "windows/amd64:10.0.2.3")
	random, _, _ := newFixture(t, 1)
	nested := filepath.Join(t.TempDir(), "nested")
	inner, err := layout.ImageIndexFromPath(dir)
	check(t, err)
	p, err := layout.Write(nested, empty.Index)
	check(t, err)
	check(t, p.AppendIndex(mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: inner}), layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "index"})))
	one := filepath.Join(t.TempDir(), "one")
	p, err = layout.Write(one, empty.Index)
	check(t, err)
	check(t, p.AppendImage(platformImage(t, "linux/arm64"), layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "index"})))
	for _, tt := range []struct {
		dir, platforms string
		is             error
		text           string
	}{
		{dir, "linux/s390x", ErrNotFound, "it is for linux/amd64, linux/arm/v7, windows/amd64:10.0.1.2, windows/amd64:10.0.2.3, not for linux/s390x"},
		{dir, "linux/amd64 linux/arm/v6", ErrNotFound, "not for linux/arm/v6"},
		{dir, "windows/amd64", nil, "windows/amd64 is several images (windows/amd64:10.0.1.2, windows/amd64:10.0.2.3); say which one"},
		{dir, "windows/amd64:10.0.2", nil, ""},
		{random, "linux/amd64", ErrNotFound, "it is for no platform, not for linux/amd64"},
		{nested, "linux/amd64", ErrUnsupported, "is an index itself"},
		{one, "linux/amd64", ErrNotFound, "it is for linux/arm64, not for linux/amd64"},
		{one, "linux/aarch64", nil, ""},
		{one, "linux/amd64 linux/arm64", ErrNotFound, "not for linux/amd64"},
	} {
		_, err := Copy(t.Context(), NewLayout(tt.dir), NewLayout(filepath.Join(t.TempDir(), "d")),
			Options{Reference: "index", Platforms: parsePlatforms(t, strings.Fields(tt.platforms)...)})
		switch {
		case tt.text == "" && err != nil, tt.text != "" && (err == nil || !strings.Contains(err.Error(), tt.text)), tt.is != nil && !errors.Is(err, tt.is):
			t.Errorf("%s: %v, want %s", tt.platforms, err, tt.text)
		}
	}
}
