package content

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	configJSON = `{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + someSHA + `","size":2}`
	layerJSON  = `{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"` + someSHA + `","size":3}`
	childJSON  = `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + someSHA + `","size":4,"platform":{"os":"linux","architecture":"arm64"}}`
	imageJSON  = `{"schemaVersion":2,"config":` + configJSON + `,"layers":[` + layerJSON + `]}`
	indexJSON  = `{"schemaVersion":2,"manifests":[` + childJSON + `]}`
)

func TestDecodeManifest(t *testing.T) {
	typed := func(doc, mediaType string) string {
		return strings.Replace(doc, `{"schemaVersion":2`, fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q`, mediaType), 1)
	}
	tests := []struct {
		name, doc, given string
		want             string // media type
		manifests, blobs int
	}{
		{"OCI image by its descriptor", imageJSON, ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageManifest, 0, 2},
		{"OCI image by its own field", typed(imageJSON, ocispec.MediaTypeImageManifest), "", ocispec.MediaTypeImageManifest, 0, 2},
		{"image that says nothing", imageJSON, "", ocispec.MediaTypeImageManifest, 0, 2},
		{"Docker image", typed(imageJSON, MediaTypeDockerManifest), MediaTypeDockerManifest, MediaTypeDockerManifest, 0, 2},
		{"image without layers", `{"schemaVersion":2,"config":` + configJSON + `,"layers":[]}`, "", ocispec.MediaTypeImageManifest, 0, 1},
		{"OCI index", typed(indexJSON, ocispec.MediaTypeImageIndex), ocispec.MediaTypeImageIndex, ocispec.MediaTypeImageIndex, 1, 0},
		{"index that says nothing", indexJSON, "", ocispec.MediaTypeImageIndex, 1, 0},
		{"Docker list", typed(indexJSON, MediaTypeDockerList), "", MediaTypeDockerList, 1, 0},
		{"empty index", `{"schemaVersion":2,"manifests":[]}`, "", ocispec.MediaTypeImageIndex, 0, 0},
		{"artifact with subject", `{"schemaVersion":2,"artifactType":"a/b","subject":` + childJSON + `,"config":` + configJSON + `,"layers":[` + layerJSON + `]}`, "", ocispec.MediaTypeImageManifest, 0, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := DecodeManifest([]byte(tt.doc), tt.given)
			if err != nil {
				t.Fatal(err)
			}
			if c.MediaType != tt.want || len(c.Manifests) != tt.manifests || len(c.Blobs) != tt.blobs {
				t.Errorf("got %+v", c)
			}
		})
	}
}

func TestDecodeManifestRefuses(t *testing.T) {
	image := func(layer string) string {
		return `{"schemaVersion":2,"config":` + configJSON + `,"layers":[` + layer + `]}`
	}
	tests := []struct {
		name, doc, given string
		want             error
		text             string
	}{
		{"nothing", ``, "", ErrIntegrity, "not a manifest"},
		{"not JSON", `<html>`, "", ErrIntegrity, "not a manifest"},
		{"null", `null`, "", ErrIntegrity, "neither"},
		{"empty object", `{}`, "", ErrIntegrity, "neither"},
		{"array", `[]`, "", ErrIntegrity, "not a manifest"},
		{"not UTF-8", "{\"a\":\"\xff\"}", "", ErrIntegrity, "UTF-8"},
		{"image and index at once", `{"config":` + configJSON + `,"layers":[],"manifests":[]}`, "", ErrIntegrity, "neither"},
		{"image with the type of an index", imageJSON, ocispec.MediaTypeImageIndex, ErrIntegrity, "media type"},
		{"index with the type of an image", indexJSON, MediaTypeDockerManifest, ErrIntegrity, "media type"},
		{"two media types", `{"mediaType":"` + MediaTypeDockerManifest + `","config":` + configJSON + `}`, ocispec.MediaTypeImageManifest, ErrIntegrity, "descriptor says"},
		{"no config", `{"schemaVersion":2,"layers":[` + layerJSON + `]}`, "", ErrIntegrity, "without a config"},
		{"schema 1", `{"schemaVersion":1,"fsLayers":[{"blobSum":"x"}]}`, "", ErrUnsupported, "schema 1"},
		{"unknown type", imageJSON, "application/x", ErrUnsupported, "application/x"},
		{"no digest", image(`{"size":1}`), "", ErrIntegrity, "digest"},
		{"digest without algorithm", image(`{"digest":"abc","size":1}`), "", ErrIntegrity, "digest"},
		{"path in the digest", image(`{"digest":"sha256:../../../../etc/passwd","size":1}`), "", ErrIntegrity, "digest"},
		{"sha512", image(`{"digest":"sha512:` + strings.Repeat("a", 128) + `","size":1}`), "", ErrUnsupported, "sha256"},
		{"negative size", image(`{"digest":"` + someSHA + `","size":-1}`), "", ErrIntegrity, "size"},
		{"absurd size", image(`{"digest":"` + someSHA + `","size":9223372036854775807}`), "", ErrIntegrity, "size"},
		{"layer in an index", `{"manifests":[` + layerJSON + `]}`, "", ErrUnsupported, "no manifest"},
		{"huge child", `{"manifests":[` + strings.Replace(childJSON, `"size":4`, `"size":4194305`, 1) + `]}`, "", ErrUnsupported, "at most"},
		{"huge", imageJSON + strings.Repeat(" ", MaxManifestSize), "", ErrUnsupported, "at most"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := DecodeManifest([]byte(tt.doc), tt.given)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %+v, %v; want %v", c, err, tt.want)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %q has not %q", err, tt.text)
			}
		})
	}
}

func FuzzDecodeManifest(f *testing.F) {
	for _, s := range []string{imageJSON, indexJSON, `{}`, `null`, `{"manifests":null,"layers":[]}`, `{"config":{"digest":":"}}`} {
		f.Add([]byte(s), "")
		f.Add([]byte(s), ocispec.MediaTypeImageManifest)
	}
	f.Fuzz(func(t *testing.T, data []byte, mediaType string) {
		c, err := DecodeManifest(data, mediaType)
		if err != nil {
			return
		}
		for _, d := range append(c.Manifests, c.Blobs...) {
			_ = d.Digest.Encoded() // panics if the digest is not valid
		}
	})
}
