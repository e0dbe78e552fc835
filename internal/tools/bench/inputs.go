//go:build linux

package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// inputTag is the tag of the image or index in every layout.
const inputTag = "1"

// An input is what the programs move: an OCI layout with one image or index, or a docker-archive.
type input struct {
	path      string
	root      digest.Digest
	blobs     []ocispec.Descriptor // configs and layers, each once
	manifests int
}

// bytes is the size of all blobs; of an archive, of its layers.
func (in *input) bytes() (sum int64) {
	for _, b := range in.blobs {
		sum += b.Size
	}
	return sum
}

// largest is the size of the largest blob.
func (in *input) largest() (size int64) {
	for _, b := range in.blobs {
		size = max(size, b.Size)
	}
	return size
}

// writeLayout writes an OCI layout with an image of these layers for each platform, and the index of them if
// there are several. Layers are gzipped tars, as programs may look into them, whose content cannot be
// compressed; seed makes them what they are.
func writeLayout(dir string, seed uint64, platforms []string, layers []int64) (*input, error) {
	w := &layoutWriter{dir: dir, in: &input{path: dir}}
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return nil, err
	}
	var images []ocispec.Descriptor
	for _, arch := range platforms {
		image, err := w.image(&seed, arch, layers)
		if err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	root := images[0]
	if len(images) > 1 {
		index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: images}
		var err error
		if root, err = w.object(ocispec.MediaTypeImageIndex, index); err != nil {
			return nil, err
		}
		w.in.manifests++
	}
	w.in.root = root.Digest
	root.Annotations = map[string]string{ocispec.AnnotationRefName: inputTag}
	top := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{root}}
	if err := writeJSON(filepath.Join(dir, ocispec.ImageIndexFile), top); err != nil {
		return nil, err
	}
	return w.in, writeJSON(filepath.Join(dir, ocispec.ImageLayoutFile), ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
}

type layoutWriter struct {
	dir string
	in  *input
}

func (w *layoutWriter) image(seed *uint64, arch string, layers []int64) (ocispec.Descriptor, error) {
	platform := ocispec.Platform{OS: "linux", Architecture: arch}
	config := ocispec.Image{Platform: platform, RootFS: ocispec.RootFS{Type: "layers"}}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	for _, size := range layers {
		*seed++
		layer, diffID, err := w.layer(*seed, size)
		if err != nil {
			return ocispec.Descriptor{}, err
		}
		w.in.blobs = append(w.in.blobs, layer)
		manifest.Layers = append(manifest.Layers, layer)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
	}
	var err error
	if manifest.Config, err = w.object(ocispec.MediaTypeImageConfig, config); err != nil {
		return ocispec.Descriptor{}, err
	}
	w.in.blobs = append(w.in.blobs, manifest.Config)
	w.in.manifests++
	image, err := w.object(ocispec.MediaTypeImageManifest, manifest)
	image.Platform = &platform
	return image, err
}

// layer writes a layer of at most size bytes, and little less.
func (w *layoutWriter) layer(seed uint64, size int64) (d ocispec.Descriptor, diffID digest.Digest, err error) {
	temporary := filepath.Join(w.dir, "layer")
	f, err := os.Create(temporary)
	if err != nil {
		return d, "", err
	}
	defer f.Close()
	buffer := bufio.NewWriterSize(f, 1<<20)
	sum := &countingHash{Hash: sha256.New()}
	packed, err := gzip.NewWriterLevel(io.MultiWriter(buffer, sum), gzip.NoCompression)
	if err != nil {
		return d, "", err
	}
	plain := sha256.New()
	// The frame of gzip, 5 bytes a block of 65535, and that of tar.
	content := size - size>>12 - 4<<10
	if err := writeTar(io.MultiWriter(packed, plain), random(seed), content); err != nil {
		return d, "", err
	}
	if err := packed.Close(); err != nil {
		return d, "", err
	}
	if err := buffer.Flush(); err != nil {
		return d, "", err
	}
	d = ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: digest.NewDigest(digest.SHA256, sum), Size: sum.n}
	return d, digest.NewDigest(digest.SHA256, plain), os.Rename(temporary, w.blob(d.Digest))
}

func (w *layoutWriter) blob(d digest.Digest) string {
	return filepath.Join(w.dir, "blobs", "sha256", d.Encoded())
}

func (w *layoutWriter) object(mediaType string, value any) (ocispec.Descriptor, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	return d, os.WriteFile(w.blob(d.Digest), data, 0o644)
}

// writeArchive writes a docker-archive, as `docker save` does, with uncompressed layers of these sizes. About
// half of the content can be compressed away.
func writeArchive(path string, seed uint64, layers []int64) (*input, error) {
	in := &input{path: path, manifests: 1}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buffer := bufio.NewWriterSize(f, 1<<20)
	archive := tar.NewWriter(buffer)
	config := ocispec.Image{Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"}, RootFS: ocispec.RootFS{Type: "layers"}}
	var names []string
	for i, size := range layers {
		// Twice the same: once for the digest, once for the archive, as tar wants the size first.
		write := func(w io.Writer) error { return writeTar(w, halfRandom(seed+uint64(i)), size) }
		sum := &countingHash{Hash: sha256.New()}
		if err := write(sum); err != nil {
			return nil, err
		}
		d := ocispec.Descriptor{Digest: digest.NewDigest(digest.SHA256, sum), Size: sum.n}
		name := fmt.Sprintf("%s/layer.tar", d.Digest.Encoded())
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: d.Size}); err != nil {
			return nil, err
		}
		if err := write(archive); err != nil {
			return nil, err
		}
		names = append(names, name)
		in.blobs = append(in.blobs, d)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, d.Digest)
	}
	data, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	configName := digest.FromBytes(data).Encoded() + ".json"
	list, err := json.Marshal([]map[string]any{{"Config": configName, "RepoTags": []string{"app:1"}, "Layers": names}})
	if err != nil {
		return nil, err
	}
	for _, file := range []struct {
		name string
		data []byte
	}{{configName, data}, {"manifest.json", list}} {
		if err := archive.WriteHeader(&tar.Header{Name: file.name, Mode: 0o644, Size: int64(len(file.data))}); err != nil {
			return nil, err
		}
		if _, err := archive.Write(file.data); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return in, buffer.Flush()
}

// writeTar writes a tar with one file of size bytes.
func writeTar(w io.Writer, content io.Reader, size int64) error {
	t := tar.NewWriter(w)
	if err := t.WriteHeader(&tar.Header{Name: "data", Mode: 0o644, Size: size}); err != nil {
		return err
	}
	if _, err := io.CopyBuffer(t, io.LimitReader(content, size), make([]byte, 1<<20)); err != nil {
		return err
	}
	return t.Close()
}

// random is an endless stream of bytes that a seed determines.
func random(seed uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

// halfRandom is random, with every second 4 KiB being zeros.
func halfRandom(seed uint64) io.Reader { return &halved{source: random(seed)} }

type halved struct {
	source io.Reader
	n      int64
}

func (h *halved) Read(p []byte) (int, error) {
	const block = 4 << 10
	left := int(block - h.n%block)
	p = p[:min(len(p), left)]
	if h.n/block%2 == 1 {
		clear(p)
	} else if _, err := io.ReadFull(h.source, p); err != nil {
		return 0, err
	}
	h.n += int64(len(p))
	return len(p), nil
}

// countingHash is a hash that counts what it hashes.
type countingHash struct {
	hash.Hash
	n int64
}

func (h *countingHash) Write(p []byte) (int, error) {
	h.n += int64(len(p))
	return h.Hash.Write(p)
}

func writeJSON(path string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
