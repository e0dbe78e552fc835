package stage

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/test/layers"
)

// Versions writes an OCI layout to dir with an image of one layer for each tag. The layers have the same 300
// files but for one.
func Versions(dir string, tags ...string) error {
	l := layout(dir)
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return err
	}
	var images []ocispec.Descriptor
	for n, tag := range tags {
		files, err := layers.Tar(n, 300)
		if err != nil {
			return err
		}
		var compressed bytes.Buffer
		packed := gzip.NewWriter(&compressed)
		if _, err := packed.Write(files); err != nil {
			return err
		}
		if err := packed.Close(); err != nil {
			return err
		}
		image, err := l.manifest(compressed.Bytes(), ocispec.Image{
			Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"},
			RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(files)}},
		})
		if err != nil {
			return err
		}
		images = append(images, tagged(image, tag))
	}
	if err := l.file(ocispec.ImageLayoutFile, ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion}); err != nil {
		return err
	}
	return l.file(ocispec.ImageIndexFile, indexOf(images))
}
