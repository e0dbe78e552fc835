package transfer

import (
	"context"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxOriginals is how many manifests are looked at.
const maxOriginals = 1000

// original gives the manifest that the archive has itself of the image with this
// config, if all of it is there and its layers are compressed. Docker from 25.0 on
// writes OCI layouts that are docker archives as well.
func (a *DockerArchive) original(config digest.Digest, layers int) (Manifest, bool) {
	layout := newLayoutReader(a.file.files, a.name)
	todo, err := layout.index()
	if err != nil {
		return Manifest{}, false
	}
	ctx := context.Background() // nothing waits
	for n := 0; n < len(todo) && n < maxOriginals; n++ {
		d := todo[n]
		if d.Size > MaxManifestSize {
			continue
		}
		read, err := layout.Manifests(ctx, []Descriptor{d})
		if err != nil || verifyManifest(read[0], d) != nil {
			continue
		}
		c, err := decodeManifest(read[0].Content, d.MediaType)
		if err != nil {
			continue
		}
		todo = append(todo, c.manifests...)
		if len(c.blobs) != layers+1 || c.blobs[0].Digest != config || slices.ContainsFunc(c.blobs[1:], isPlainLayer) {
			continue
		}
		if opened, ok := openAll(ctx, layout, c.blobs); ok {
			a.mu.Lock()
			defer a.mu.Unlock()
			for i, b := range c.blobs {
				a.blobs[b.Digest] = func(context.Context) (*io.SectionReader, error) { return opened[i], nil }
			}
			read[0].Descriptor = Descriptor{MediaType: c.mediaType, Digest: d.Digest, Size: d.Size}
			return read[0], true
		}
	}
	return Manifest{}, false
}

// isPlainLayer tells layers that are not known to be compressed.
func isPlainLayer(d Descriptor) bool {
	switch d.MediaType {
	case mediaTypeDockerLayer, ocispec.MediaTypeImageLayerGzip, ocispec.MediaTypeImageLayerZstd:
		return false
	}
	return true
}

// openAll gives the content of all blobs, if all are there.
func openAll(ctx context.Context, layout layoutReader, blobs []Descriptor) ([]*io.SectionReader, bool) {
	opened := make([]*io.SectionReader, len(blobs))
	for i, b := range blobs {
		r, err := layout.Blob(ctx, b)
		if err != nil {
			return nil, false
		}
		opened[i] = r.(tarFile).SectionReader
	}
	return opened, true
}
