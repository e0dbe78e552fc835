package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/delta"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// rebuilder rebuilds layers from the deltas of a set. Each base is read once and each layer rebuilt once,
// into temporary files.
type rebuilder struct {
	deltas    map[digest.Digest]Delta
	workspace *delta.Workspace
	dir       string
	open      func(ctx context.Context, name string) (content.Source, error)

	mu     sync.Mutex // one layer at a time: that bounds memory
	bases  map[digest.Digest]*delta.Plaintext
	layers map[digest.Digest]*os.File
}

// Rebuild has the layers that the set has deltas of be rebuilt when they are read. open opens a repository
// of the destination by its name under it; tempDir is for the plaintexts of layers, "" is the system's
// directory.
func (r *Reader) Rebuild(tempDir string, open func(ctx context.Context, name string) (content.Source, error)) {
	b := &rebuilder{deltas: map[digest.Digest]Delta{}, workspace: delta.NewWorkspace(tempDir), dir: tempDir, open: open,
		bases: map[digest.Digest]*delta.Plaintext{}, layers: map[digest.Digest]*os.File{}}
	for _, d := range r.Deltas {
		b.deltas[d.Layer] = d
	}
	r.rebuilder = b
}

// has reports whether a layer is rebuilt.
func (b *rebuilder) has(d content.Descriptor) bool {
	if b == nil {
		return false
	}
	entry, ok := b.deltas[d.Digest]
	return ok && entry.Size == d.Size
}

// layer is a rebuilt layer; its file stays open.
type layer struct{ io.ReaderAt }

func (layer) Close() error { return nil }

// file returns a layer, which was verified.
func (b *rebuilder) file(ctx context.Context, v *view, d content.Descriptor) (content.BlobFile, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.layers[d.Digest]; f != nil {
		return layer{f}, nil
	}
	entry := b.deltas[d.Digest]
	in, err := v.archive.BlobFile(ctx, entry.descriptor())
	if err != nil {
		return nil, fmt.Errorf("delta of layer %s: %w", d.Digest, err)
	}
	defer in.Close() // opened for reading
	h, err := delta.ReadHeader(in, entry.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: delta of layer %s: %w: %w", v.name, d.Digest, content.ErrIntegrity, err)
	}
	if h.Layer != (delta.Part{Digest: d.Digest, Size: d.Size}) {
		return nil, fmt.Errorf("%s: delta of layer %s: %w: it is the delta of %s", v.name, d.Digest, content.ErrIntegrity, h.Layer.Digest)
	}
	var bases []*delta.Plaintext
	for _, need := range entry.Bases {
		base, err := b.base(ctx, need)
		if err != nil {
			return nil, fmt.Errorf("delta of layer %s: base in %s: %w", d.Digest, need.Name, err)
		}
		bases = append(bases, base)
	}
	f, err := os.CreateTemp(b.dir, ".ecrkit-layer-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name()) // where that cannot be done, Close does it
	if err := b.workspace.Apply(ctx, in, entry.Bytes, bases, f); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", v.name, temporaryRoom(err)), f.Close(), removed(f))
	}
	b.layers[d.Digest] = f
	return layer{f}, nil
}

// base returns the plaintext of a base, which is read once.
func (b *rebuilder) base(ctx context.Context, need Need) (*delta.Plaintext, error) {
	if p := b.bases[need.Digest]; p != nil {
		return p, nil
	}
	src, err := b.open(ctx, need.Name)
	if err != nil {
		return nil, err
	}
	p, err := b.workspace.Plaintext(ctx, LayerOf(src, content.Descriptor{MediaType: "application/octet-stream", Digest: need.Digest, Size: need.Size}))
	if err == nil {
		b.bases[need.Digest] = p
	}
	return p, temporaryRoom(err)
}

// removed removes a temporary file that could not be removed while it was open.
func removed(f *os.File) error {
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Close removes the temporary files.
func (b *rebuilder) Close() error {
	if b == nil {
		return nil
	}
	var errs []error
	for _, p := range b.bases {
		errs = append(errs, p.Close())
	}
	for _, f := range b.layers {
		errs = append(errs, f.Close(), removed(f))
	}
	return errors.Join(errs...)
}
