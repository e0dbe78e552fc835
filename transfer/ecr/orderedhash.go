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
// more than once, and the first of which may have been sent by another process.
type orderedHash struct {
	hash digest.Verifier
	file io.ReaderAt // where the blob can be read, or nil
	at   int64       // bytes hashed
	gap  bool        // some bytes were never there to be hashed
	err  error       // of reading the blob
}

func newOrderedHash(d content.Descriptor, content content.PartReader) *orderedHash {
	h := &orderedHash{hash: d.Digest.Verifier()}
	if c, ok := content.(parts.File); ok {
		h.file = c.File
	}
	return h
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
	if p.first > h.at && h.file != nil {
		h.copy(io.NewSectionReader(h.file, h.at, p.first-h.at))
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
	if !h.gap && h.at == 0 && h.file != nil {
		h.copy(io.NewSectionReader(h.file, 0, d.Size))
	}
	if h.err != nil {
		return fmt.Errorf("blob %s: %w", d.Digest, h.err)
	}
	if h.gap || h.at < d.Size {
		return nil
	}
	if !h.hash.Verified() {
		return fmt.Errorf("%w: the bytes of blob %s have another digest", content.ErrIntegrity, d.Digest)
	}
	return nil
}
