package imagetree

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const someSHA = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// noManifests has nothing below an image.
type noManifests struct{}

func (noManifests) Manifests(context.Context, []content.Descriptor) ([]content.Manifest, error) {
	return nil, content.ErrNotFound
}

// TestForeignLayers refuses layers that are left out if nobody could find their bytes.
func TestForeignLayers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ layer, text string }{
		"Docker's foreign layer": {`{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"` + someSHA + `","size":2,"urls":[]}`, "no URL"},
		"OCI's foreign layer":    {`{"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip","digest":"` + someSHA + `","size":2}`, "foreign"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := content.NewManifest([]byte(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"`+someSHA+`","size":2},"layers":[`+c.layer+`]}`), "")
			_, err := ReadBelow(t.Context(), noManifests{}, image, false)
			if !errors.Is(err, content.ErrUnsupported) || !errors.Is(err, content.ErrForeign) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v does not say %q", err, c.text)
			}
			tree, err := ReadBelow(t.Context(), noManifests{}, image, true) // config and layer have one digest
			if err != nil || len(tree.Blobs) != 1 || len(tree.Foreign) != 0 {
				t.Errorf("copied with the image: %d blobs, %d left out, %v", len(tree.Blobs), len(tree.Foreign), err)
			}
		})
	}
}
