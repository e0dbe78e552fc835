package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/opencontainers/go-digest"
)

// newFixture makes an OCI layout, by code that is not ours, with an image of one
// layer more than layers under the tag "image" and an index of two such images
// under the tag "index".
func newFixture(t *testing.T, layers int64) (dir string, image v1.Image, index v1.ImageIndex) {
	t.Helper()
	image, err := random.Image(1000, layers)
	check(t, err)
	index, err = random.Index(2000, layers, 2)
	check(t, err)
	dir = filepath.Join(t.TempDir(), "src")
	p, err := layout.Write(dir, emptyIndex(t))
	check(t, err)
	check(t, p.AppendImage(image, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "image"})))
	check(t, p.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "index"})))
	return dir, image, index
}

func emptyIndex(t *testing.T) v1.ImageIndex {
	t.Helper()
	index, err := random.Index(0, 0, 0)
	check(t, err)
	return index
}

// digestOf gives the digest of an image or index.
func digestOf(t *testing.T, x interface{ Digest() (v1.Hash, error) }) digest.Digest {
	t.Helper()
	h, err := x.Digest()
	check(t, err)
	return digest.Digest(h.String())
}

// validateImages checks all images of a layout, by code that is not ours.
func validateImages(t *testing.T, dir string) {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	check(t, err)
	check(t, validate.Index(index))
}

// validateLayout checks a layout in which all copies have ended well.
func validateLayout(t *testing.T, dir string) {
	t.Helper()
	validateImages(t, dir)
	leftovers, err := filepath.Glob(filepath.Join(dir, ".ecrkit-*"))
	check(t, err)
	if len(leftovers) > 0 {
		t.Errorf("temporary files are left: %v", leftovers)
	}
}

// blobFile is the path of a blob in a layout.
func blobFile(dir string, d digest.Digest) string {
	return filepath.Join(dir, "blobs", "sha256", d.Encoded())
}

func writeTestFile(t *testing.T, name, content string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(name), 0o777))
	check(t, os.WriteFile(name, []byte(content), 0o666))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustCopy copies and fails the test on an error.
func mustCopy(t *testing.T, src Source, dst Target, opts Options) Result {
	t.Helper()
	result, err := Copy(context.Background(), src, dst, opts)
	check(t, err)
	return result
}

// variant is an image manifest with an annotation more, which makes it another.
func variant(t *testing.T, m Manifest, number int) Manifest {
	t.Helper()
	var fields map[string]json.RawMessage
	check(t, json.Unmarshal(m.Content, &fields))
	fields["annotations"] = json.RawMessage(fmt.Sprintf(`{"number":"%d"}`, number))
	content, err := json.Marshal(fields)
	check(t, err)
	m.Content = content
	m.Descriptor.Digest, m.Descriptor.Size = digest.FromBytes(content), int64(len(content))
	return m
}
