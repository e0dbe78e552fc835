package transfer

import (
	"context"
	"errors"
	"io"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// foreignSource is a [content.Source] of a layer that need not be in its registry.
type foreignSource struct {
	content.Source
	elsewhere content.BlobReader
}

// Blob opens the layer as the source has it, else where foreign layers are read.
func (s foreignSource) Blob(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	data, err := s.Source.Blob(ctx, d)
	if !errors.Is(err, content.ErrNotFound) {
		return data, err
	}
	data, failed := s.elsewhere.Blob(ctx, d)
	if failed != nil {
		return nil, errors.Join(err, failed)
	}
	return data, nil
}
