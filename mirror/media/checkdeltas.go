package media

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/ecrkit/ecrkit/delta"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// CheckDeltas reads all deltas of the set, compares them with their digests, and checks that each is that of
// its layer, from its bases, by an encoder that this version has. So an import refuses them before it writes
// anything. The error names the layer, and wraps [content.ErrIntegrity], or [content.ErrUnsupported] if the encoder is
// not known.
func (r *Reader) CheckDeltas(ctx context.Context) error {
	for _, d := range r.Deltas {
		if err := r.checkDelta(ctx, d); err != nil {
			return fmt.Errorf("%s: delta of layer %s: %w", r.dir, d.Layer, err)
		}
	}
	return nil
}

func (r *Reader) checkDelta(ctx context.Context, d Delta) error {
	if !slices.Contains(delta.Encoders(), d.Encoder) {
		return fmt.Errorf("%w: it needs the encoder %q, which this version does not have", content.ErrUnsupported, d.Encoder)
	}
	f, err := r.archive.BlobFile(ctx, d.descriptor())
	if err != nil {
		return err
	}
	defer f.Close() // opened for reading
	in := content.NewVerifyingReader(ctx, io.NewSectionReader(f, 0, d.Bytes), d.descriptor())
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	h, err := delta.ReadHeader(f, d.Bytes)
	if err != nil {
		return fmt.Errorf("%w: %w", content.ErrIntegrity, err)
	}
	return d.checkHeader(h)
}

// checkHeader returns an error unless a delta is what the set says.
func (d Delta) checkHeader(h delta.Header) error {
	if h.Layer != (delta.LayerID{Digest: d.Layer, Size: d.Size}) {
		return damaged("it is the delta of %s", h.Layer.Digest)
	}
	if h.EncoderName() != d.Encoder {
		return damaged("its encoder is %s, not %s", h.EncoderName(), d.Encoder)
	}
	if !slices.EqualFunc(h.Bases, d.Bases, func(p delta.LayerID, n RequiredBlob) bool { return p.Digest == n.Digest && p.Size == n.Size }) {
		return damaged("it has other bases than the set says")
	}
	return nil
}
