package imagetree

import (
	"fmt"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// leaveOutForeign moves non-distributable layers from Blobs to foreign, as docker push leaves them out. A registry takes an image without such a layer
// if its descriptor says where the bytes are:
// https://github.com/distribution/distribution/blob/v2.8.3/registry/storage/schema2manifesthandler.go.
// One that has no URL is refused: nobody could pull the image.
func (n *node) leaveOutForeign() error {
	blobs := n.Blobs
	n.Blobs = nil
	for _, d := range blobs {
		switch {
		case !content.IsForeign(d.MediaType):
			n.Blobs = append(n.Blobs, d)
		case len(d.URLs) == 0:
			return fmt.Errorf("%w: layer %s is a %w, and its descriptor has no URL of its bytes: without them the image would be incomplete", content.ErrUnsupported, d.Digest, content.ErrForeign)
		default:
			n.foreign = append(n.foreign, d)
		}
	}
	return nil
}
