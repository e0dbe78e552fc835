package media

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestWriteIndex compares index.json with one that is made at once: existing sets have to stay readable, byte for byte.
func TestWriteIndex(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	names := []string{"a.example/db", "a.example/db2", "a.example/d", "a.example:5000/db"}
	tags := []string{"1", "10", "1.0", "latest", "v", "sha256-00.sig"}
	for deltas := range 40 {
		images := []Image{}
		for i := range random.IntN(30) {
			image := Image{Repository: names[random.IntN(len(names))], Name: "n", Tags: []string{}, Digest: digest.FromString(fmt.Sprint(random.IntN(20))),
				MediaType: ocispec.MediaTypeImageManifest, Size: int64(i), ArtifactType: "application/<x>"}
			for _, tag := range tags {
				if random.IntN(4) == 0 {
					image.Tags = append(image.Tags, tag)
				}
			}
			images = append(images, image)
		}
		want := indexAtOnce(t, images, deltas)
		var got bytes.Buffer
		m, err := newIndexFile(images, deltas)
		check(t, err)
		check(t, m.file.write(&got))
		if !bytes.Equal(got.Bytes(), want) || m.size != int64(len(want)) || m.digest != digest.FromBytes(want) {
			t.Fatalf("%d bytes, %s\n%s\nwant\n%s", m.size, m.digest, got.Bytes(), want)
		}
	}
}

// indexAtOnce is index.json as it is encoded at once.
func indexAtOnce(t *testing.T, images []Image, deltas int) []byte {
	t.Helper()
	entries := []content.Descriptor{}
	untagged := map[digest.Digest]bool{}
	for _, image := range images {
		if len(image.Tags) == 0 && !untagged[image.Digest] {
			untagged[image.Digest] = true
			entries = append(entries, image.descriptor())
		}
		for _, tag := range image.Tags {
			d := image.descriptor()
			d.Annotations = map[string]string{ocispec.AnnotationRefName: image.Repository + ":" + tag}
			entries = append(entries, d)
		}
	}
	slices.SortStableFunc(entries, func(a, b content.Descriptor) int {
		return strings.Compare(a.Annotations[ocispec.AnnotationRefName]+string(a.Digest), b.Annotations[ocispec.AnnotationRefName]+string(b.Digest))
	})
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: entries}
	index.SchemaVersion = 2
	if deltas > 0 {
		index.Annotations = map[string]string{annotationDeltas: fmt.Sprint(deltas)}
	}
	data, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
