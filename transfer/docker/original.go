package docker

import (
	"context"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/dockersave"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// maxOriginals is how many manifests are looked at.
const maxOriginals = 1000

// original returns the manifest that the archive has itself of the image with this
// config, if all of it is there and its layers are compressed. Docker from 25.0 on
// writes OCI layouts that are docker archives as well.
func (a *Archive) original(config digest.Digest, layers int) (content.Manifest, bool) {
	layout := layout.NewReader(a.file.Files, a.name)
	todo, err := layout.Index()
	if err != nil {
		return content.Manifest{}, false
	}
	ctx := context.Background() // nothing waits
	roots := len(todo)
	for n := 0; n < len(todo) && n < maxOriginals; n++ {
		d := todo[n]
		if d.Size > content.MaxManifestSize {
			continue
		}
		read, err := layout.Manifests(ctx, []content.Descriptor{d})
		if err != nil || content.VerifyManifest(read[0], d) != nil {
			continue
		}
		c, err := content.DecodeManifest(read[0].Content, d.MediaType)
		if err != nil {
			continue
		}
		todo = append(todo, c.Manifests...)
		if len(c.Blobs) != layers+1 || c.Blobs[0].Digest != config {
			continue
		}
		if n < roots && !dockersave.IsOriginal(a.file.Files, d, c) {
			continue
		}
		if opened, ok := openAll(ctx, layout, c.Blobs); ok {
			a.mu.Lock()
			defer a.mu.Unlock()
			for i, b := range c.Blobs {
				a.blobs[b.Digest] = func(context.Context) (*io.SectionReader, error) { return opened[i], nil }
			}
			read[0].Descriptor = content.Descriptor{MediaType: c.MediaType, Digest: d.Digest, Size: d.Size}
			return read[0], true
		}
	}
	return content.Manifest{}, false
}

// openAll returns the content of all blobs, if all are there.
func openAll(ctx context.Context, layout layout.Reader, blobs []content.Descriptor) ([]*io.SectionReader, bool) {
	opened := make([]*io.SectionReader, len(blobs))
	for i, b := range blobs {
		r, err := layout.Blob(ctx, b)
		if err != nil {
			return nil, false
		}
		opened[i] = r.(tarball.File).SectionReader
	}
	return opened, true
}
