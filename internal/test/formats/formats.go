// Package formats makes small files and directories as other tools write them, from their
// documentation and from what was seen: docs/formats.md has the versions.
package formats

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Media types that more than one tool writes.
const (
	ociManifest = ocispec.MediaTypeImageManifest
	ociIndex    = ocispec.MediaTypeImageIndex
	ociConfig   = ocispec.MediaTypeImageConfig
	ociGzip     = ocispec.MediaTypeImageLayerGzip
	ociPlain    = ocispec.MediaTypeImageLayer
)

// object is JSON that is written as it is given here.
type object = map[string]any

// maker collects the files of a layout or an archive.
type maker struct {
	names []string // in the order in which a tar has them
	files map[string][]byte
}

// Tools returns the names that [Write] knows, sorted.
func Tools() []string {
	var names []string
	for name := range tools {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Write writes to path what the tool writes: a tar if path ends in ".tar", a packed one
// if it ends in ".tar.gz", else a directory.
func Write(tool, path string) error {
	make, ok := tools[tool]
	if !ok {
		return fmt.Errorf("no tool %q; there are %s", tool, strings.Join(Tools(), ", "))
	}
	m := &maker{files: map[string][]byte{}}
	make(m)
	switch {
	case strings.HasSuffix(path, ".tar"):
		return os.WriteFile(path, m.tar(), 0o644)
	case strings.HasSuffix(path, ".tar.gz"):
		return os.WriteFile(path, gzipped(m.tar()), 0o644)
	}
	for name, data := range m.files {
		file := filepath.Join(path, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) file(name string, data []byte) {
	if _, ok := m.files[name]; !ok {
		m.names = append(m.names, name)
	}
	m.files[name] = data
}

func (m *maker) json(name string, v any) { m.file(name, encode(v)) }

// blob is content in blobs/ and its descriptor.
func (m *maker) blob(mediaType string, data []byte) object {
	d := digest.FromBytes(data)
	m.file("blobs/sha256/"+d.Encoded(), data)
	return object{"mediaType": mediaType, "digest": d.String(), "size": len(data)}
}

func (m *maker) jsonBlob(mediaType string, v any) object { return m.blob(mediaType, encode(v)) }

// layout makes the files a layout whose index.json has these entries.
func (m *maker) layout(entries ...object) {
	m.json("oci-layout", object{"imageLayoutVersion": "1.0.0"})
	m.json("index.json", object{"schemaVersion": 2, "mediaType": ociIndex, "manifests": entries})
}

// image is a container image with one layer, whose content is text.
func (m *maker) image(platform, text string) object {
	plain := layerOf(text)
	return m.manifest(m.imageConfig(platform, plain), m.blob(ociGzip, gzipped(plain)))
}

func (m *maker) imageConfig(platform string, layers ...[]byte) object {
	os, arch, _ := strings.Cut(platform, "/")
	return m.jsonBlob(ociConfig, object{"os": os, "architecture": arch, "config": object{}, "rootfs": object{"type": "layers", "diff_ids": diffIDs(layers...)}})
}

func (m *maker) manifest(config object, layers ...object) object {
	return m.jsonBlob(ociManifest, object{"schemaVersion": 2, "mediaType": ociManifest, "config": config, "layers": layers})
}

func (m *maker) index(entries ...object) object {
	return m.jsonBlob(ociIndex, object{"schemaVersion": 2, "mediaType": ociIndex, "manifests": entries})
}

// with returns a copy of a descriptor with more members.
func with(d object, more ...any) object {
	c := object{}
	for key, value := range d {
		c[key] = value
	}
	for i := 0; i < len(more); i += 2 {
		c[more[i].(string)] = more[i+1]
	}
	return c
}

// on adds the platform to a descriptor.
func on(platform string, d object) object {
	os, arch, _ := strings.Cut(platform, "/")
	return with(d, "platform", object{"os": os, "architecture": arch})
}

// named adds the annotation that is the tag in a layout, and others.
func named(name string, d object, more ...any) object {
	annotations := object{ocispec.AnnotationRefName: name}
	for i := 0; i < len(more); i += 2 {
		annotations[more[i].(string)] = more[i+1]
	}
	return with(d, "annotations", annotations)
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // only what this package makes
	}
	return data
}

func diffIDs(layers ...[]byte) []string {
	ids := []string{}
	for _, l := range layers {
		ids = append(ids, digest.FromBytes(l).String())
	}
	return ids
}

// layerOf is a tar with one file.
func layerOf(text string) []byte {
	m := &maker{files: map[string][]byte{}}
	m.file("file", []byte(text))
	return m.tar()
}

func (m *maker) tar() []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range m.names {
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(m.files[name]))})
		_, _ = w.Write(m.files[name])
	}
	_ = w.Close()
	return b.Bytes() // a bytes.Buffer takes everything
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}
