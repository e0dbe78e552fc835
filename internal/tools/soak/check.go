//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// What is written is checked here without ecrkit's own code.

// reader returns the content of a file of a layout, or an error that wraps fs.ErrNotExist.
type reader func(name string) ([]byte, error)

// layoutFiles reads a directory.
func layoutFiles(dir string) reader {
	return func(name string) ([]byte, error) { return os.ReadFile(path.Join(dir, name)) }
}

// tarFiles reads a tar file, which may be compressed with gzip, as a whole.
func tarFiles(file string) (reader, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	content := map[string][]byte{}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if content[path.Clean(h.Name)], err = io.ReadAll(t); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, h.Name, err)
		}
	}
	return func(name string) ([]byte, error) {
		data, ok := content[name]
		if !ok {
			return nil, fmt.Errorf("%s: %s: %w", file, name, fs.ErrNotExist)
		}
		return data, nil
	}, nil
}

// tagsOf returns the tags of a layout, and nothing if there is no layout yet.
func tagsOf(read reader) (map[string]digest.Digest, error) {
	data, err := read(ocispec.ImageIndexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var index ocispec.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	tags := map[string]digest.Digest{}
	for _, d := range index.Manifests {
		tag := d.Annotations[ocispec.AnnotationRefName]
		if old, ok := tags[tag]; ok && tag != "" {
			return nil, fmt.Errorf("two images are called %s: %s and %s", tag, old, d.Digest)
		}
		tags[tag] = d.Digest
	}
	return tags, nil
}

// holds returns an error unless the layout has the image under the tag, and all of it byte for byte.
func holds(read reader, tag string, m *image) error {
	tags, err := tagsOf(read)
	if err != nil {
		return err
	}
	if tags[tag] != m.digest {
		return fmt.Errorf("tag %s is %q, not %s", tag, tags[tag], m.digest)
	}
	return whole(read, m)
}

// whole returns an error unless the layout has all blobs of the image, byte for byte.
func whole(read reader, m *image) error {
	for _, d := range append(m.blobs(), m.digest) {
		data, err := read("blobs/sha256/" + d.Encoded())
		if err != nil {
			return err
		}
		if got := digest.FromBytes(data); got != d {
			return fmt.Errorf("the blob %s has the digest %s", d, got)
		}
	}
	return nil
}

// noBadBlob returns an error if a blob of a layout in a directory has another digest than its name says.
func noBadBlob(dir string) error {
	entries, err := os.ReadDir(path.Join(dir, "blobs", "sha256"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		data, err := os.ReadFile(path.Join(dir, "blobs", "sha256", e.Name()))
		if err != nil {
			return err
		}
		if got := digest.FromBytes(data); got.Encoded() != e.Name() {
			return fmt.Errorf("the blob %s has the digest %s", e.Name(), got)
		}
	}
	return err
}

// dockerHolds returns an error unless a docker archive has the image, as docker would load it.
func dockerHolds(file string, m *image) error {
	read, err := tarFiles(file)
	if err != nil {
		return err
	}
	data, err := read("manifest.json")
	if err != nil {
		return err
	}
	var images []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal(data, &images); err != nil {
		return fmt.Errorf("%s: manifest.json: %w", file, err)
	}
	if len(images) != 1 {
		return fmt.Errorf("%s has %d images", file, len(images))
	}
	config, err := read(images[0].Config)
	if err != nil {
		return err
	}
	if got := digest.FromBytes(config); got != m.config.Digest {
		return fmt.Errorf("%s: the config is %s, not %s", file, got, m.config.Digest)
	}
	var diffs []digest.Digest
	for _, name := range images[0].Layers {
		data, err := read(name)
		if err != nil {
			return err
		}
		if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
			z, err := gzip.NewReader(bytes.NewReader(data))
			if err != nil {
				return err
			}
			if data, err = io.ReadAll(z); err != nil {
				return fmt.Errorf("%s: %s: %w", file, name, err)
			}
		}
		diffs = append(diffs, digest.FromBytes(data))
	}
	if !slices.Equal(diffs, m.diffs) {
		return fmt.Errorf("%s: the layers are %v, not %v", file, diffs, m.diffs)
	}
	return nil
}
