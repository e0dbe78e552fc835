package ref

import (
	"context"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// kind reports what the tar holds. Docker writes archives that are both: those are
// OCI layouts only if they can be read as such with nothing missing and no layer
// to be compressed.
func kindOf(files tarball.Files) Kind {
	_, err := files.Lookup(tarball.DockerManifestFile)
	docker := err == nil
	if layout.CheckVersion(files) == nil && (!docker || isWholeLayout(files)) {
		return KindArchive
	}
	if docker {
		return KindDockerArchive
	}
	return ""
}

// isWholeLayout reports whether all that index.json names is there and compressed.
func isWholeLayout(files tarball.Files) bool {
	layout := layout.NewReader(files, "")
	index, err := layout.Index()
	if err != nil {
		return false
	}
	ctx := context.Background() // nothing waits
	for _, d := range index {
		root, err := layout.Manifests(ctx, []content.Descriptor{d})
		if err != nil {
			return false
		}
		g, err := content.ReadBelow(ctx, layout, root[0], false)
		if err != nil {
			return false
		}
		for _, b := range g.Blobs {
			blob, err := layout.Blob(ctx, b)
			if err != nil {
				return false
			}
			blob.Close()
			if b.MediaType == ocispec.MediaTypeImageLayer || b.MediaType == content.MediaTypeDockerLayerPlain {
				return false
			}
		}
	}
	return len(index) > 0
}
