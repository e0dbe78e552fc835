package imagetree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// CheckLayerCount refuses an image whose config names another number of layers than its
// manifest: some tools wrote manifests without layers, https://github.com/moby/moby/issues/47065.
// The error wraps [content.ErrIntegrity]. A config that does not say which layers there are is
// accepted, and so is what is not a container image.
func CheckLayerCount(ctx context.Context, src content.BlobReader, m content.Manifest) error {
	config, ok, err := imageConfig(m)
	if err != nil || !ok {
		return nil // what is wrong with it is found out elsewhere
	}
	c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil {
		return err
	}
	if partial, ok := src.(content.PartialSource); ok && !partial.HasBlob(config) {
		return nil // the destination has it
	}
	data, err := readVerified(ctx, src, config)
	if errors.Is(err, content.ErrNotFound) {
		return nil // the destination may have it
	}
	if err != nil {
		return err
	}
	var doc struct {
		RootFS struct {
			DiffIDs []digest.Digest `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(data, &doc); err != nil || doc.RootFS.DiffIDs == nil {
		return nil
	}
	if named, layers := len(doc.RootFS.DiffIDs), len(c.Blobs)-1; named != layers {
		return fmt.Errorf("%w: image %s has %d layers, but its config names %d", content.ErrIntegrity, m.Descriptor.Digest, layers, named)
	}
	return nil
}
