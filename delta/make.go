package delta

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/delta/internal/deflate"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// ErrWhole reports a layer that is better carried whole; the error says why.
var ErrWhole = errors.New("the layer is carried whole")

// Delta is a delta in a temporary file.
type Delta struct {
	Header
	File *os.File // has the bytes of the delta, and is at their beginning
	Size int64    // of the delta, in bytes
	// Tokens and Misses are those of the stream, and those that its model did not predict.
	Tokens, Misses int64
}

// Close removes the delta.
func (d *Delta) Close() error { return d.File.Close() }

// Make makes the delta of a layer from the plaintexts of bases, of which it uses those that have most of its
// content, and proves it: the patch makes the plaintext, and from that the description makes the stream. The
// error wraps [ErrWhole] if the layer cannot be rebuilt, or if the delta would not be smaller. The caller closes
// the delta.
func (w *Workspace) Make(ctx context.Context, l Layer, bases []*Plaintext) (d *Delta, err error) {
	target, err := w.read(ctx, l, true)
	if err != nil {
		if errors.Is(err, deflate.ErrFormat) || errors.Is(err, content.ErrUnsupported) {
			return nil, fmt.Errorf("%w: %w", ErrWhole, err)
		}
		return nil, err
	}
	defer target.Close() // it is removed
	encoding, compressed := target.encoding, target.compressed
	if encoding == encodingZstd {
		bases = slices.DeleteFunc(slices.Clone(bases), func(b *Plaintext) bool { return b.encoding != encodingZstd })
		if len(bases) == 0 {
			return nil, fmt.Errorf("%w: it is compressed with zstd, and no base is", ErrWhole)
		}
	}
	chosen := choose(target, bases)
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%w: it shares nothing with the bases", ErrWhole)
	}
	if encoding == encodingZstd {
		target, _ = target.asRanges()
		if chosen, err = ranges(chosen); err != nil {
			return nil, err
		}
	}
	d = &Delta{Header: Header{Version: version, Layer: LayerID{l.Digest, l.Size}, Plain: target.Plain, Encoding: encoding}}
	defer func(made *Delta) { // where there is an error, d is nil
		if err != nil && made.File != nil {
			made.File.Close() // it is removed
		}
	}(d)
	patch, err := w.temporary()
	if err != nil {
		return nil, err
	}
	defer patch.Close() // it is copied
	description, err := w.temporary()
	if err != nil {
		return nil, err
	}
	defer description.Close() // likewise
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		out := &limited{w: bufio.NewWriterSize(patch, 64<<10), left: l.Size}
		if _, err := w.diff(groupCtx, target, chosen, out); err != nil {
			return err
		}
		if err := out.w.Flush(); err != nil {
			return err
		}
		return target.provePatch(groupCtx, patch, chosen)
	})
	if encoding == encodingGzip {
		group.Go(func() error {
			out := &limited{w: bufio.NewWriterSize(description, 64<<10), left: l.Size}
			if err := d.describe(groupCtx, compressed, target, out); err != nil {
				return err
			}
			return out.w.Flush()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, cmp.Or(context.Cause(ctx), err)
	}
	for _, b := range chosen {
		d.Bases = append(d.Bases, LayerID{b.Digest, b.Size})
	}
	if err := d.join(w, description, patch); err != nil {
		return nil, err
	}
	if d.Size >= l.Size {
		return nil, fmt.Errorf("%w: the delta has %d bytes, and the layer %d", ErrWhole, d.Size, l.Size)
	}
	if _, err := ReadHeader(d.File, d.Size); err != nil {
		return nil, notRebuilt(err)
	}
	if _, err := d.File.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return d, nil
}

// ranges returns the compressed bytes of bases.
func ranges(bases []*Plaintext) (all []*Plaintext, err error) {
	for i, b := range bases {
		p, ok := b.asRanges()
		if !ok {
			return nil, fmt.Errorf("%w: base %d is not compressed with zstd", ErrFormat, i)
		}
		all = append(all, p)
	}
	return all, nil
}

func notRebuilt(err error) error { return fmt.Errorf("%w: it was not rebuilt: %w", ErrWhole, err) }

// provePatch makes the plaintext from the patch, and compares it.
func (p *Plaintext) provePatch(ctx context.Context, patch io.ReaderAt, bases []*Plaintext) error {
	made := newPatchReader(ctx, io.NewSectionReader(patch, 0, 1<<62), bases, p.Plain)
	want, got := make([]byte, 256<<10), make([]byte, 256<<10)
	for at := int64(0); ; {
		n, err := io.ReadFull(made, got)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return notRebuilt(err)
		}
		if _, err := p.file.ReadAt(want[:n], at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if !bytes.Equal(want[:n], got[:n]) {
			return notRebuilt(errors.New("the patch makes other bytes"))
		}
		at += int64(n)
		if err != nil {
			if at != p.Plain {
				return notRebuilt(errors.New("the patch ends early"))
			}
			return nil
		}
	}
}

// describe writes the description of the stream. Meanwhile, the stream is rebuilt from what was written, and
// compared.
func (d *Delta) describe(ctx context.Context, compressed *os.File, target *Plaintext, out io.Writer) error {
	survey := target.survey
	open := func() (io.ReadCloser, error) {
		return io.NopCloser(&reader{ctx, io.NewSectionReader(compressed, 0, d.Layer.Size)}), nil
	}
	encoder, err := deflate.Estimate(open, survey)
	if err != nil {
		return err
	}
	d.Encoder = &encoder
	in, _ := open() // it cannot fail
	again, written := io.Pipe()
	var group errgroup.Group
	group.Go(func() error {
		err := d.proveStream(ctx, target, again)
		if err == nil { // the last bytes of a range coder do not count
			_, err = io.Copy(io.Discard, again)
		}
		again.CloseWithError(cmp.Or(err, io.ErrClosedPipe))
		return err
	})
	result, err := deflate.Describe(in, survey, encoder, io.MultiWriter(out, written), 0)
	d.Tokens, d.Misses = result.Tokens, result.Misses
	written.CloseWithError(err)
	if proof := group.Wait(); proof != nil && (err == nil || !errors.Is(err, ErrWhole)) {
		return proof
	}
	return err
}

// proveStream rebuilds the stream from the plaintext and its description.
func (d *Delta) proveStream(ctx context.Context, target *Plaintext, description io.Reader) error {
	verifier := d.Layer.Digest.Verifier()
	plain := bufio.NewReaderSize(&reader{ctx, io.NewSectionReader(target.file, 0, target.Plain)}, 256<<10)
	to := &counted{w: verifier, left: d.Layer.Size}
	err := deflate.Rebuild(plain, description, *d.Encoder, to, d.Layer.Size)
	if err == nil && (to.left != 0 || !verifier.Verified()) {
		err = errors.New("the description makes other bytes")
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return notRebuilt(err)
}

// join makes the file of the delta.
func (d *Delta) join(w *Workspace, parts ...*os.File) (err error) {
	sizes := make([]int64, len(parts))
	for i, p := range parts {
		info, err := p.Stat()
		if err != nil {
			return err
		}
		sizes[i] = info.Size()
	}
	d.Description, d.Patch = sizes[0], sizes[1]
	if d.File, err = w.temporary(); err != nil {
		return err
	}
	if d.Size, err = d.Header.write(d.File); err != nil {
		return err
	}
	for i, p := range parts {
		n, err := io.Copy(d.File, io.NewSectionReader(p, 0, sizes[i]))
		d.Size += n
		if err != nil {
			return err
		}
	}
	return nil
}

// limited ends a part that grows larger than the layer.
type limited struct {
	w    *bufio.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, fmt.Errorf("%w: the delta would be larger", ErrWhole)
	}
	return l.w.Write(p)
}

// Apply rebuilds the layer of a delta and writes it to out. Bases has the bases of the delta by their
// number. A delta may be hostile: what is written has at most the size that it names, and the error wraps
// [content.ErrIntegrity] unless it is the layer of its digest. So who writes it to a registry completes the
// upload only if there is no error. The error wraps [ErrBases] if bases are missing or others, and [ErrFormat] if r is no
// delta.
func (w *Workspace) Apply(ctx context.Context, r io.ReaderAt, size int64, bases []*Plaintext, out io.Writer) error {
	h, at, err := readHeader(r, size)
	if err != nil {
		return err
	}
	if len(bases) != len(h.Bases) {
		return fmt.Errorf("%w: it has %d, and there are %d", ErrBases, len(h.Bases), len(bases))
	}
	for i, b := range h.Bases {
		if bases[i].Digest != b.Digest {
			return fmt.Errorf("%w: base %d is %s, not %s", ErrBases, i, bases[i].Digest, b.Digest)
		}
	}
	if h.Encoding == encodingZstd {
		if bases, err = ranges(bases); err != nil {
			return err
		}
	}
	verifier := h.Layer.Digest.Verifier()
	to := &counted{w: io.MultiWriter(out, verifier), left: h.Layer.Size}
	plain := newPatchReader(ctx, io.NewSectionReader(r, at+h.Description, h.Patch), bases, h.Plain)
	if h.Encoder == nil {
		_, err = io.Copy(to, plain)
	} else {
		err = deflate.Rebuild(plain, io.NewSectionReader(r, at, h.Description), *h.Encoder, to, h.Layer.Size)
	}
	if err == nil && to.left != 0 {
		err = fmt.Errorf("it has %d bytes less than %d", to.left, h.Layer.Size)
	}
	if err == nil && !verifier.Verified() {
		err = errors.New("it has another digest")
	}
	if err == nil || ctx.Err() != nil || to.failed {
		return err
	}
	return fmt.Errorf("layer %s could not be rebuilt: %w: %w", h.Layer.Digest, content.ErrIntegrity, err)
}

// counted passes at most so many bytes on.
type counted struct {
	w      io.Writer
	left   int64
	failed bool // the writer has
}

func (c *counted) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		return 0, fmt.Errorf("it has more bytes than it should: %w", ErrFormat)
	}
	n, err := c.w.Write(p)
	c.left -= int64(n)
	c.failed = c.failed || err != nil
	return n, err
}
