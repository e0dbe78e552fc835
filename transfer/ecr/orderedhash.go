package ecr

import (
	"context"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
)

// orderedHash computes the digest of a blob from its parts, some of which may come
// more than once, and the first of which may have been sent by another process. A
// nil orderedHash computes nothing.
type orderedHash struct {
	hash digest.Verifier
	at   int64 // bytes hashed
	gap  bool  // some bytes were never there to be hashed
	err  error // of reading the blob
}

// newOrderedHash returns nil for a blob that is in a file: Amazon ECR computes its
// digest in any case, and if that is another one, the file can be read again to
// see whose fault it is. Of other content nothing is left to look at by then.
func newOrderedHash(d content.Descriptor, data content.PartReader) *orderedHash {
	if _, ok := data.(parts.File); ok {
		return nil
	}
	return &orderedHash{hash: d.Digest.Verifier()}
}

// add hashes the next part once it is loaded. What cannot be read shows in verify.
func (h *orderedHash) add(ctx context.Context, p *sentPart) {
	select {
	case <-p.loaded:
	case <-ctx.Done():
	}
	if h.err != nil || ctx.Err() != nil {
		return // of what comes behind a part that was left out nothing can be hashed
	}
	end := p.first + p.n
	switch {
	case p.first > h.at:
		h.gap = true
	case end > h.at:
		skip := h.at - p.first
		h.copy(io.NewSectionReader(p.section, skip, p.n-skip))
	}
}

func (h *orderedHash) copy(r io.Reader) {
	n, err := io.Copy(h.hash, r)
	h.at += n
	h.err = err
}

// verify checks what was hashed. A blob of which some bytes are missing is left
// to who has received it.
func (h *orderedHash) verify(d content.Descriptor) error {
	switch {
	case h == nil:
		return nil
	case h.err != nil:
		return fmt.Errorf("blob %s: %w", d.Digest, h.err)
	case h.gap, h.at < d.Size, h.hash.Verified():
		return nil
	}
	return fmt.Errorf("%w: the bytes of blob %s have another digest", content.ErrIntegrity, d.Digest)
}

// checkSource reads a blob that is in a file, after its bytes were refused for
// their digest. It returns a [*content.SourceError] if it is the file that is wrong or can't
// be read, and nil if it is not, or if there is no file.
func checkSource(ctx context.Context, d content.Descriptor, data content.PartReader) error {
	c, ok := data.(parts.File)
	if !ok {
		return nil
	}
	if _, err := io.Copy(io.Discard, content.NewVerifyingReader(ctx, io.NewSectionReader(c.File, 0, d.Size), d)); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &content.SourceError{Err: err}
	}
	return nil
}
