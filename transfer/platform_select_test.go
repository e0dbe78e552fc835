package transfer

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	ggcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

func TestSelectOnePlatform(t *testing.T) {
	dir, _, images := fixture.PlatformIndex(t, "linux/amd64", "-linux/arm/v7", "linux/arm/v6", "linux/arm64/v8")
	for name, want := range map[string]digest.Digest{
		"linux/x86_64": images[0], "linux/arm": images[1], "linux/arm/v6": images[2], "linux/arm64": images[3],
	} {
		dst := filepath.Join(t.TempDir(), "dst")
		result := mustCopy(t, layout.New(dir), layout.New(dst), Options{Reference: "index", Tags: []string{"x"}, Platforms: fixture.ParsePlatforms(t, name), KeepDigest: true})
		if result.Digest != want || result.BlobsSent != 2 {
			t.Errorf("%s: %+v, want %s", name, result, want)
		}
		fixture.ValidateLayout(t, dst)
	}
}

func TestSelectPlatforms(t *testing.T) {
	dir, index, images := fixture.PlatformIndex(t, "linux/amd64", "-linux/arm/v7", "linux/arm/v6", "linux/arm64/v8")
	whole := fixture.DigestOf(t, index)
	for names, want := range map[string][]digest.Digest{
		"linux/amd64 linux/arm64":               {images[0], images[3]},
		"linux/arm64 linux/amd64 linux/aarch64": {images[0], images[3]},
		"linux/arm/*":                           {images[1], images[2]},
		"linux/arm/* linux/amd64/*":             images[:3],
		"linux/arm/* linux/amd64 linux/arm64":   nil,
	} {
		dst := filepath.Join(t.TempDir(), "dst")
		opts := Options{Reference: "index", Tags: []string{"x"}, Platforms: fixture.ParsePlatforms(t, strings.Fields(names)...)}
		result := mustCopy(t, layout.New(dir), layout.New(dst), opts)
		fixture.ValidateLayout(t, dst)
		opts.KeepDigest = true
		_, err := Copy(t.Context(), layout.New(dir), layout.New(filepath.Join(t.TempDir(), "d")), opts)
		if want == nil {
			if result.Digest != whole || err != nil {
				t.Errorf("%s: %s, %v, want the whole index", names, result.Digest, err)
			}
			continue
		}
		if !errors.Is(err, content.ErrUnsupported) || !strings.Contains(err.Error(), "another digest") {
			t.Errorf("%s with KeepDigest: %v", names, err)
		}
		root, err := ggcrlayout.ImageIndexFromPath(dst)
		fixture.Check(t, err)
		top, err := root.IndexManifest()
		fixture.Check(t, err)
		got, err := root.ImageIndex(top.Manifests[0].Digest)
		fixture.Check(t, err)
		m, err := got.IndexManifest()
		fixture.Check(t, err)
		if original := m.Annotations[AnnotationSubsetOf]; original != string(whole) || result.SubsetOf != whole {
			t.Errorf("%s: the new index names %q and the result %q, want %s", names, original, result.SubsetOf, whole)
		}
		var found []digest.Digest
		for i, d := range m.Manifests {
			if i%2 == 0 {
				found = append(found, digest.Digest(d.Digest.String()))
			} else if d.Annotations[imagetree.AnnotationAttests] != string(found[len(found)-1]) {
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
	dir, _, _ := fixture.PlatformIndex(t, "linux/amd64", "linux/arm64", "linux/s390x")
	mustCopy(t, layout.New(dir), w.repository("app"), Options{Reference: "index", Tags: []string{"1"}})
	w.Calls.Reset()
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, w.repository("app"), layout.New(dst), Options{Reference: "1", Platforms: fixture.ParsePlatforms(t, "linux/arm64")})
	if n := w.Calls.Count("BatchGetImage"); n != 2 {
		t.Errorf("%d calls of BatchGetImage for one platform", n)
	}
	w.Calls.Reset()
	w.Create("other", "MUTABLE")
	w.Calls.Reset()
	mustCopy(t, w.repository("app"), w.repository("other"), Options{Reference: "1", Tags: []string{"1"}, Platforms: fixture.ParsePlatforms(t, "linux/arm64", "linux/amd64")})
	if got, put := w.Calls.Count("BatchGetImage"), w.Calls.Count("PutImage"); got != 2 || put != 5 {
		t.Errorf("%d calls of BatchGetImage, %d of PutImage for two platforms", got, put)
	}
}

func TestSelectRefuses(t *testing.T) {
	dir, _, _ := fixture.PlatformIndex(t, "linux/amd64", "-linux/arm/v7", "windows/amd64:10.0.1.2", "windows/amd64:10.0.2.3")
	random, _, _ := fixture.Layout(t, 1)
	nested := filepath.Join(t.TempDir(), "nested")
	inner, err := ggcrlayout.ImageIndexFromPath(dir)
	fixture.Check(t, err)
	p, err := ggcrlayout.Write(nested, empty.Index)
	fixture.Check(t, err)
	fixture.Check(t, p.AppendIndex(mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: inner}), ggcrlayout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "index"})))
	one := filepath.Join(t.TempDir(), "one")
	p, err = ggcrlayout.Write(one, empty.Index)
	fixture.Check(t, err)
	fixture.Check(t, p.AppendImage(fixture.PlatformImage(t, "linux/arm64"), ggcrlayout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "index"})))
	for _, tt := range []struct {
		dir, platforms string
		is             error
		text           string
	}{
		{dir, "linux/s390x", content.ErrNotFound, "it is for linux/amd64, linux/arm/v7, windows/amd64:10.0.1.2, windows/amd64:10.0.2.3, not for linux/s390x"},
		{dir, "linux/amd64 linux/arm/v6", content.ErrNotFound, "not for linux/arm/v6"},
		{dir, "windows/amd64", nil, "windows/amd64 is several images (windows/amd64:10.0.1.2, windows/amd64:10.0.2.3); say which one"},
		{dir, "windows/amd64:10.0.2", nil, ""},
		{random, "linux/amd64", content.ErrNotFound, "it is for no platform, not for linux/amd64"},
		{nested, "linux/amd64", content.ErrUnsupported, "is an index itself"},
		{one, "linux/amd64", content.ErrNotFound, "it is for linux/arm64, not for linux/amd64"},
		{one, "linux/aarch64", nil, ""},
		{one, "linux/amd64 linux/arm64", content.ErrNotFound, "not for linux/amd64"},
	} {
		_, err := Copy(t.Context(), layout.New(tt.dir), layout.New(filepath.Join(t.TempDir(), "d")),
			Options{Reference: "index", Platforms: fixture.ParsePlatforms(t, strings.Fields(tt.platforms)...)})
		switch {
		case tt.text == "" && err != nil, tt.text != "" && (err == nil || !strings.Contains(err.Error(), tt.text)), tt.is != nil && !errors.Is(err, tt.is):
			t.Errorf("%s: %v, want %s", tt.platforms, err, tt.text)
		}
	}
}
