//go:build linux

package transfertrial

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/localecr"
)

// maxMemoryMirror is what a mirror may need at most, in bytes, however many repositories are copied at once.
const maxMemoryMirror = 90 * mib

// manyImages are images of many repositories: each is an index of two platforms. One layer is in all of them, some are
// in all images of a repository, and one is the platform's own.
type manyImages struct {
	repositories, tags int
	all, repository    []int // sizes of layers
	own                int
}

// put puts the images in, and the configuration of a mirror into a file that it returns.
func (m manyImages) put(t *testing.T, s *site) string {
	t.Helper()
	blob := func(r *localecr.Repository, mediaType string, data []byte) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		check(t, r.PutLayer(t.Context(), string(d.Digest), bytes.NewReader(data)))
		return d
	}
	for i := range m.repositories {
		name := fmt.Sprintf("src/repo%04d", i)
		r, err := s.server.Repository(t.Context(), name)
		check(t, err)
		common := map[string][]ocispec.Descriptor{}
		for _, platform := range []string{"amd64", "arm64"} {
			for k, size := range m.all {
				common[platform] = append(common[platform], blob(r, ocispec.MediaTypeImageLayerGzip, bytesOf(size, "all", platform, k)))
			}
			for k, size := range m.repository {
				common[platform] = append(common[platform], blob(r, ocispec.MediaTypeImageLayerGzip, bytesOf(size, name, platform, k)))
			}
		}
		for tag := range m.tags {
			index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
			for _, platform := range []string{"amd64", "arm64"} {
				layers := common[platform]
				if m.own > 0 {
					layers = append(layers[:len(layers):len(layers)], blob(r, ocispec.MediaTypeImageLayerGzip, bytesOf(m.own, name, platform, tag)))
				}
				config := fmt.Appendf(nil, `{"architecture":%q,"os":"linux","created":"2026-01-01T00:00:00Z","rootfs":{"type":"layers"},"tag":%d}`, platform, tag)
				image := ocispec.Manifest{Versioned: index.Versioned, MediaType: ocispec.MediaTypeImageManifest, Config: blob(r, ocispec.MediaTypeImageConfig, config), Layers: layers}
				d := putManifest(t, r, "", image.MediaType, image)
				d.Platform = &ocispec.Platform{OS: "linux", Architecture: platform}
				index.Manifests = append(index.Manifests, d)
			}
			putManifest(t, r, fmt.Sprintf("v%d.0.0", tag), index.MediaType, index)
		}
	}
	return s.mirrorConfig(t, "copy")
}

// mirrorConfig writes the configuration of a mirror of all repositories under src.
func (s *site) mirrorConfig(t *testing.T, to string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mirror.yaml")
	check(t, os.WriteFile(path, fmt.Appendf(nil, "destinations: [%q]\nimages: [{from: %q}]\n", s.registry+"/"+to, s.registry+"/src/*"), 0o600))
	return path
}

func putManifest(t *testing.T, r *localecr.Repository, tag, mediaType string, manifest any) ocispec.Descriptor {
	t.Helper()
	data, err := json.Marshal(manifest)
	check(t, err)
	check(t, r.PutManifest(context.Background(), tag, mediaType, data))
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
}

// bytesOf returns bytes that cannot be compressed, the same ones for the same words.
func bytesOf(size int, words ...any) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256(fmt.Append(nil, words...))).Read(data)
	return data
}

// TestMirrorMemory copies from eight repositories at once, each with layers that are buffered.
func TestMirrorMemory(t *testing.T) {
	t.Parallel()
	s := start(t, localecr.Options{})
	config := manyImages{repositories: 8, tags: 1, all: []int{8 * mib}, repository: []int{2 * mib, 2 * mib}, own: 512 * kib}.put(t, s)
	s.memory(t, maxMemoryMirror, "--output", "text", "mirror", "apply", config)
}

// TestMirrorLayerChecks asks Amazon ECR about 100 layers at once, across the images of a repository. Nothing is asked about new repositories.
func TestMirrorLayerChecks(t *testing.T) {
	t.Parallel()
	s := start(t, localecr.Options{})
	images := manyImages{repositories: 10, tags: 10, all: []int{9000}, repository: []int{5000, 5000}, own: 1000}
	config := images.put(t, s)
	set := filepath.Join(t.TempDir(), "set")
	s.run("mirror", "export", config, "--to", set)
	for i := range images.repositories {
		for _, prefix := range []string{"far", "copy"} {
			s.run("repo", "create", fmt.Sprintf("%s/%s/src/repo%04d", s.registry, prefix, i))
		}
	}
	for name, args := range map[string][]string{
		"import": {"mirror", "import", set, s.registry + "/far"},
		"apply":  {"mirror", "apply", config},
	} {
		s.calls.Reset()
		s.run(args...)
		if n := s.calls.Count("BatchCheckLayerAvailability"); n == 0 || n > 2*images.repositories {
			t.Errorf("%s: %d BatchCheckLayerAvailability for %d images of %d repositories", name, n, images.repositories*images.tags, images.repositories)
		}
	}
}

// TestCopyLayerChecks is TestMirrorLayerChecks for a copy of all tags of one repository.
func TestCopyLayerChecks(t *testing.T) {
	t.Parallel()
	s := start(t, localecr.Options{})
	manyImages{repositories: 1, tags: 10, all: []int{9000}, own: 1000}.put(t, s)
	s.calls.Reset()
	s.run("copy", "--all-tags", s.registry+"/src/repo0000", s.registry+"/other")
	if n := s.calls.Count("BatchCheckLayerAvailability"); n != 1 {
		t.Errorf("%d BatchCheckLayerAvailability for 10 images", n)
	}
}
