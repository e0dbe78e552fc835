//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// image is an image in a layout of its own, under the tag x.
type image struct {
	dir    string
	digest digest.Digest
	config ocispec.Descriptor
	layers []ocispec.Descriptor
	diffs  []digest.Digest // of the uncompressed layers
}

// blobs are the digests of config and layers.
func (m *image) blobs() []digest.Digest {
	all := []digest.Digest{m.config.Digest}
	for _, l := range m.layers {
		all = append(all, l.Digest)
	}
	return all
}

// makeImage writes an image of one file a layer, with so many random bytes each, into a new layout.
func makeImage(dir string, dice *rand.Rand, sizes ...int64) (*image, error) {
	m := &image{dir: dir}
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o777); err != nil {
		return nil, err
	}
	put := func(mediaType string, data []byte) (ocispec.Descriptor, error) {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		return d, os.WriteFile(filepath.Join(blobs, d.Digest.Encoded()), data, 0o666)
	}
	for _, size := range sizes {
		plain, packed, err := layer(dice, size)
		if err != nil {
			return nil, err
		}
		d, err := put(ocispec.MediaTypeImageLayerGzip, packed)
		if err != nil {
			return nil, err
		}
		m.layers, m.diffs = append(m.layers, d), append(m.diffs, digest.FromBytes(plain))
	}
	config, err := json.Marshal(ocispec.Image{
		Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: m.diffs},
	})
	if err != nil {
		return nil, err
	}
	if m.config, err = put(ocispec.MediaTypeImageConfig, config); err != nil {
		return nil, err
	}
	manifest, err := json.Marshal(ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: m.config, Layers: m.layers})
	if err != nil {
		return nil, err
	}
	d, err := put(ocispec.MediaTypeImageManifest, manifest)
	if err != nil {
		return nil, err
	}
	m.digest, d.Annotations = d.Digest, map[string]string{ocispec.AnnotationRefName: "x"}
	index, err := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{d}})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, ocispec.ImageIndexFile), index, 0o666); err != nil {
		return nil, err
	}
	return m, os.WriteFile(filepath.Join(dir, ocispec.ImageLayoutFile), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o666)
}

// layer makes a tar of one file, and the same in gzip.
func layer(dice *rand.Rand, size int64) (plain, packed []byte, err error) {
	content := make([]byte, size)
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(dice.Uint32())
	}
	_, _ = rand.NewChaCha8(seed).Read(content) // never fails
	var files, compressed bytes.Buffer
	w := tar.NewWriter(&files)
	if err := w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: size}); err != nil {
		return nil, nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, nil, err
	}
	if err := w.Close(); err != nil {
		return nil, nil, err
	}
	z, err := gzip.NewWriterLevel(&compressed, gzip.NoCompression)
	if err != nil {
		return nil, nil, err
	}
	if _, err := z.Write(files.Bytes()); err != nil {
		return nil, nil, err
	}
	if err := z.Close(); err != nil {
		return nil, nil, err
	}
	return files.Bytes(), compressed.Bytes(), nil
}
