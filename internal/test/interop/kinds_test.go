//go:build interop

package interop

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// A kind is one of the forms in which registries hold images, with an example that
// go-containerregistry has made.
type kind struct {
	name   string // also the tag of the example
	digest string
	layout string // an OCI layout that holds nothing but the example
	config string // of an image alone, not of one for several platforms: its digest, by which Docker knows it
	says   string // what it prints when it runs on linux/amd64
}

// single tells whether the example is an image alone.
func (k kind) single() bool { return k.config != "" }

// a mediaTypes are those of the parts of an image.
type mediaTypes struct{ index, manifest, config, layer types.MediaType }

var (
	dockerTypes = mediaTypes{types.DockerManifestList, types.DockerManifestSchema2, types.DockerConfigJSON, types.DockerLayer}
	ociTypes    = mediaTypes{types.OCIImageIndex, types.OCIManifestSchema1, types.OCIConfigJSON, types.OCILayer}
)

// makeKinds makes the examples: a Docker image (schema 2), an OCI image, a Docker manifest list and an OCI
// index, both of them for linux/amd64 and linux/arm64. Each has content of its own.
func makeKinds(t *testing.T) []kind {
	t.Helper()
	dir := t.TempDir()
	programs := map[string][]byte{"amd64": buildHello(t, "amd64"), "arm64": buildHello(t, "arm64")}
	make := func(name string, m mediaTypes, arch string) v1.Image {
		return makeImage(t, m, arch, programs[arch], name+" for "+arch+"\n")
	}
	var kinds []kind
	for _, k := range []struct {
		name string
		mediaTypes
	}{{"schema2", dockerTypes}, {"oci", ociTypes}} {
		image := make(k.name, k.mediaTypes, "amd64")
		config, err := image.ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		made := writeKind(t, dir, k.name, image)
		made.config = config.String()
		kinds = append(kinds, made)
	}
	for _, k := range []struct {
		name string
		mediaTypes
	}{{"list", dockerTypes}, {"index", ociTypes}} {
		index := mutate.IndexMediaType(empty.Index, k.index)
		for _, arch := range []string{"amd64", "arm64"} {
			index = mutate.AppendManifests(index, mutate.IndexAddendum{
				Add:        make(k.name, k.mediaTypes, arch),
				Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
			})
		}
		kinds = append(kinds, writeKind(t, dir, k.name, inSpecOrder(t, index)))
	}
	return kinds
}

// givenIndex has not the name of a method.
type givenIndex = v1.ImageIndex

// An encodedIndex is an index in other bytes.
type encodedIndex struct {
	givenIndex
	content []byte
}

func (i encodedIndex) RawManifest() ([]byte, error) { return i.content, nil }
func (i encodedIndex) Digest() (v1.Hash, error)     { return partial.Digest(i) }
func (i encodedIndex) Size() (int64, error)         { return partial.Size(i) }

// inSpecOrder is an OCI index with its members in the order of the specification's Go types, and another
// one as it is. skopeo 1.9 copies an index by writing it anew.
func inSpecOrder(t *testing.T, index v1.ImageIndex) v1.ImageIndex {
	t.Helper()
	mediaType, err := index.MediaType()
	if err != nil {
		t.Fatal(err)
	}
	content, err := index.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	if mediaType != types.OCIImageIndex {
		return index
	}
	var spec ocispec.Index
	if err := json.Unmarshal(content, &spec); err != nil {
		t.Fatal(err)
	}
	for i := range spec.Manifests {
		spec.Manifests[i].ArtifactType = "" // skopeo 1.9 does not know it
	}
	if content, err = json.Marshal(spec); err != nil {
		t.Fatal(err)
	}
	return encodedIndex{index, content}
}

// buildHello is the static program of testdata/hello.
func buildHello(t *testing.T, arch string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hello")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./testdata/hello")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build hello: %v\n%s", err, out)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// makeImage makes an image of two layers: the program and the /content that it prints.
func makeImage(t *testing.T, m mediaTypes, arch string, program []byte, content string) v1.Image {
	t.Helper()
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, m.manifest), m.config)
	image, err := mutate.ConfigFile(image, &v1.ConfigFile{
		OS: "linux", Architecture: arch,
		Config: v1.Config{Entrypoint: []string{"/hello"}},
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []struct {
		name    string
		content []byte
	}{{"hello", program}, {"content", []byte(content)}} {
		var layer bytes.Buffer
		w := tar.NewWriter(&layer)
		if err := w.WriteHeader(&tar.Header{Name: file.name, Mode: 0o755, Size: int64(len(file.content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(file.content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil }
		packed, err := tarball.LayerFromOpener(open, tarball.WithMediaType(m.layer))
		if err != nil {
			t.Fatal(err)
		}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: packed, MediaType: m.layer}); err != nil {
			t.Fatal(err)
		}
	}
	return image
}

// writeKind writes an image or index as the only one of an OCI layout.
func writeKind(t *testing.T, dir, name string, example mutate.Appendable) kind {
	t.Helper()
	digest, err := example.Digest()
	if err != nil {
		t.Fatal(err)
	}
	k := kind{name: name, digest: digest.String(), layout: filepath.Join(dir, name), says: name + " for amd64"}
	path, err := layout.Write(k.layout, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	tag := layout.WithAnnotations(map[string]string{ocispec.AnnotationRefName: name})
	switch example := example.(type) {
	case v1.ImageIndex:
		err = path.AppendIndex(example, tag)
	case v1.Image:
		err = path.AppendImage(example, tag)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}
