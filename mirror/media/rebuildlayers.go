package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/delta"
	"github.com/ecrkit/ecrkit/internal/unpack"
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

// UseDestination has what the set was made without be read at the destination: manifests, and the bases of deltas, from
// which layers are rebuilt when they are read. open opens a repository
// of the destination by its name under it; tempDir is for the plaintexts of layers, "" is the system's
// directory.
func (r *Reader) UseDestination(tempDir string, open func(ctx context.Context, name string) (content.Source, error)) {
	b := &rebuilder{deltas: map[digest.Digest]Delta{}, workspace: delta.NewWorkspace(tempDir), dir: tempDir, open: open,
		bases: map[digest.Digest]*delta.Plaintext{}, layers: map[digest.Digest]*os.File{}}
	for _, d := range r.Deltas {
		b.deltas[d.Layer] = d
	}
	r.rebuilder, r.far = b, open
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
	if err := entry.checkHeader(h); err != nil {
		return nil, fmt.Errorf("%s: delta of layer %s: %w", v.name, d.Digest, err)
	}
	bases, err := b.basesOf(ctx, entry)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(b.dir, ".ecrkit-layer-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name()) // where that cannot be done, Close does it
	if err := b.workspace.Apply(ctx, in, entry.Bytes, bases, unpack.NewWriter(f, filepath.Dir(f.Name()), nil)); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", v.name, temporaryRoom(err)), f.Close(), removed(f))
	}
	b.layers[d.Digest] = f
	return layer{f}, nil
}

// basesOf returns the plaintexts of the bases of a delta, each of which is read once, all at the same time.
func (b *rebuilder) basesOf(ctx context.Context, entry Delta) ([]*delta.Plaintext, error) {
	bases := make([]*delta.Plaintext, len(entry.Bases))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, need := range entry.Bases {
		if bases[i] = b.bases[need.Digest]; bases[i] != nil || slices.ContainsFunc(entry.Bases[:i], func(other RequiredBlob) bool { return other.Digest == need.Digest }) {
			continue
		}
		group.Go(func() (err error) {
			if bases[i], err = b.base(groupCtx, need); err != nil {
				return fmt.Errorf("delta of layer %s: base %s in %s: %w", entry.Layer, need.Digest, need.Name, err)
			}
			return nil
		})
	}
	err := group.Wait()
	for i, p := range bases {
		if p != nil {
			b.bases[entry.Bases[i].Digest] = p
		}
	}
	for i, need := range entry.Bases { // one that is named twice
		bases[i] = b.bases[need.Digest]
	}
	return bases, err
}

// base reads a base.
func (b *rebuilder) base(ctx context.Context, need RequiredBlob) (*delta.Plaintext, error) {
	src, err := b.open(ctx, need.Name)
	if err != nil {
		return nil, err
	}
	p, err := b.workspace.Plaintext(ctx, LayerOf(src, content.Descriptor{MediaType: "application/octet-stream", Digest: need.Digest, Size: need.Size}))
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
