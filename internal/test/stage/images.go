package stage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Tag is the tag of the index in the layout that Images writes; its image for linux/ARCH has the tag
// Tag-ARCH.
const Tag = "1.0"

// Architectures are those of the images that Images makes.
var Architectures = []string{"amd64", "arm64"}

// Images writes an OCI layout to dir: for each architecture an image FROM scratch that holds the static
// binary /ecrkit, which is its entrypoint, and the index of them. It returns the digests by tag.
func Images(ctx context.Context, dir string) (map[string]string, error) {
	work, err := os.MkdirTemp("", "ecrkit-images-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)

	l := layout(dir)
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return nil, err
	}
	var images []ocispec.Descriptor
	for _, arch := range Architectures {
		if err := build(ctx, filepath.Join(work, arch), module+"/cmd/ecrkit", "GOOS=linux", "GOARCH="+arch); err != nil {
			return nil, err
		}
		image, err := l.image(filepath.Join(work, arch, "ecrkit"), ocispec.Platform{OS: "linux", Architecture: arch})
		if err != nil {
			return nil, fmt.Errorf("image for linux/%s: %w", arch, err)
		}
		images = append(images, image)
	}
	index, err := l.object(ocispec.MediaTypeImageIndex, indexOf(images))
	if err != nil {
		return nil, err
	}

	named := []ocispec.Descriptor{tagged(index, Tag)}
	for i, arch := range Architectures {
		named = append(named, tagged(images[i], Tag+"-"+arch))
	}
	if err := l.file(ocispec.ImageLayoutFile, ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion}); err != nil {
		return nil, err
	}
	if err := l.file(ocispec.ImageIndexFile, indexOf(named)); err != nil {
		return nil, err
	}
	digests := make(map[string]string)
	for _, d := range named {
		digests[d.Annotations[ocispec.AnnotationRefName]] = d.Digest.String()
	}
	return digests, nil
}

func indexOf(manifests []ocispec.Descriptor) ocispec.Index {
	return ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: manifests}
}

func tagged(d ocispec.Descriptor, tag string) ocispec.Descriptor {
	d.Annotations = map[string]string{ocispec.AnnotationRefName: tag}
	return d
}

// A layout is the directory of an OCI image layout.
type layout string

// image writes an image whose only file and entrypoint is the program at path.
func (l layout) image(path string, platform ocispec.Platform) (ocispec.Descriptor, error) {
	program, err := os.ReadFile(path)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	var plain, compressed bytes.Buffer
	files := tar.NewWriter(&plain)
	if err := files.WriteHeader(&tar.Header{Name: "ecrkit", Mode: 0o755, Size: int64(len(program))}); err != nil {
		return ocispec.Descriptor{}, err
	}
	if _, err := files.Write(program); err != nil {
		return ocispec.Descriptor{}, err
	}
	if err := files.Close(); err != nil {
		return ocispec.Descriptor{}, err
	}
	packed := gzip.NewWriter(&compressed)
	if _, err := packed.Write(plain.Bytes()); err != nil {
		return ocispec.Descriptor{}, err
	}
	if err := packed.Close(); err != nil {
		return ocispec.Descriptor{}, err
	}

	manifest, err := l.manifest(compressed.Bytes(), ocispec.Image{
		Platform: platform,
		Config:   ocispec.ImageConfig{Entrypoint: []string{"/ecrkit"}},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(plain.Bytes())}},
	})
	manifest.Platform = &platform
	return manifest, err
}

// manifest writes an image of one layer, which is gzip.
func (l layout) manifest(layer []byte, config ocispec.Image) (ocispec.Descriptor, error) {
	content, err := l.blob(ocispec.MediaTypeImageLayerGzip, layer)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	configuration, err := l.object(ocispec.MediaTypeImageConfig, config)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	return l.object(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    configuration,
		Layers:    []ocispec.Descriptor{content},
	})
}

// object writes a value as a blob of JSON.
func (l layout) object(mediaType string, value any) (ocispec.Descriptor, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	return l.blob(mediaType, data)
}

func (l layout) blob(mediaType string, data []byte) (ocispec.Descriptor, error) {
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	return d, os.WriteFile(filepath.Join(string(l), "blobs", "sha256", d.Digest.Encoded()), data, 0o644)
}

// file writes a value as a file of JSON beside the blobs.
func (l layout) file(name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(string(l), name), data, 0o644)
}
