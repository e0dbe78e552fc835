//go:build linux

package transfertrial

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// made is an image in an OCI layout.
type made struct {
	dir    string
	digest digest.Digest
	layers []ocispec.Descriptor
}

// source writes the bytes of a layer, size of them, to w.
type source func(size int64, w *os.File) error

// random is a layer of bytes that no one can guess.
func random(seed byte) source {
	return func(size int64, w *os.File) error {
		_, err := io.CopyN(w, rand.NewChaCha8([32]byte{seed}), size)
		return err
	}
}

// sparse is a layer that takes no room on the disk: zeros, but for its beginning.
func sparse(seed byte) source {
	return func(size int64, w *os.File) error {
		if err := random(seed)(4*kib, w); err != nil {
			return err
		}
		return w.Truncate(size)
	}
}

// makeImage writes a layout with one image of layers of these sizes, as the tag x.
func makeImage(t testing.TB, content func(seed byte) source, sizes ...int64) made {
	t.Helper()
	m := made{dir: filepath.Join(t.TempDir(), "src")}
	blobs := filepath.Join(m.dir, "blobs", "sha256")
	check(t, os.MkdirAll(blobs, 0o777))
	put := func(mediaType string, data []byte) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		check(t, os.WriteFile(filepath.Join(blobs, d.Digest.Encoded()), data, 0o666))
		return d
	}
	for i, size := range sizes {
		f, err := os.Create(filepath.Join(m.dir, "layer"))
		check(t, err)
		check(t, content(byte(i))(size, f))
		_, err = f.Seek(0, io.SeekStart)
		check(t, err)
		d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: hashFile(t, f), Size: size}
		check(t, f.Close())
		check(t, os.Rename(f.Name(), filepath.Join(blobs, d.Digest.Encoded())))
		m.layers = append(m.layers, d)
	}
	config := put(ocispec.MediaTypeImageConfig, []byte(fmt.Sprintf(`{"architecture":"amd64","os":"linux","sizes":%q}`, fmt.Sprint(sizes))))
	manifest := put(ocispec.MediaTypeImageManifest, marshal(t, map[string]any{
		"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest, "config": config, "layers": m.layers,
	}))
	m.digest = manifest.Digest
	manifest.Annotations = map[string]string{ocispec.AnnotationRefName: "x"}
	check(t, os.WriteFile(filepath.Join(m.dir, "index.json"), marshal(t, map[string]any{"schemaVersion": 2, "manifests": []any{manifest}}), 0o666))
	check(t, os.WriteFile(filepath.Join(m.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o666))
	return m
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	check(t, err)
	return data
}

// hashFile is the digest of what is in a file from here on.
func hashFile(t testing.TB, f *os.File) digest.Digest {
	t.Helper()
	h := sha256.New()
	_, err := io.Copy(h, f)
	check(t, err)
	return digest.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
}

// checkLayout checks that a layout has the image as x, byte for byte.
func (m made) checkLayout(t testing.TB, dir string) {
	t.Helper()
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	check(t, err)
	if !bytes.Contains(index, []byte(m.digest)) {
		t.Errorf("the image is not in %s: %s", dir, index)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "blobs", "sha256"))
	check(t, err)
	if len(entries) != len(m.layers)+2 {
		t.Errorf("%d blobs in %s, want %d", len(entries), dir, len(m.layers)+2)
	}
	for _, e := range entries {
		f, err := os.Open(filepath.Join(dir, "blobs", "sha256", e.Name()))
		check(t, err)
		if got := hashFile(t, f); got.Encoded() != e.Name() {
			t.Errorf("the blob %s has the digest %s", e.Name(), got)
		}
		check(t, f.Close())
	}
}
