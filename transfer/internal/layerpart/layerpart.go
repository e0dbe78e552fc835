// Package layerpart writes the body of UploadLayerPart while it is sent: the
// generated client has a part in memory three times, this has 112 KiB of it.
package layerpart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/asm/base64"
)

// Part is one part of a layer:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html.
type Part struct {
	RegistryID string `json:"registryId"`
	Repository string `json:"repositoryName"`
	UploadID   string `json:"uploadId"`
	First      int64  `json:"partFirstByte"`
	Last       int64  `json:"partLastByte"`
}

// rawSize is how many bytes are encoded at once: a multiple of three, which is
// without padding.
const rawSize = 48 << 10

// Body is the body of a request. It is read twice, for the signature and to be
// sent, and once more for each time that it is sent again.
type Body struct {
	ctx     context.Context
	content *io.SectionReader
	before  []byte
	ready   <-chan struct{}
	sent    func(n int64)

	length  int64
	offset  int64  // of what was read
	hashed  bool   // it was read to its end once
	pending []byte // read from content and encoded
	raw     []byte
	encoded []byte
	told    int64 // bytes of content of which sent was told
}

// after ends a body. It is what is held back: without it a request is not
// complete.
const after = `"}`

// NewBody gives the body that sends content as p. When it is read for the second
// time, its end is held back until ready is closed or the context ends. sent is
// told how many bytes of content are read from then on; a negative number if they
// are to be sent again.
func NewBody(ctx context.Context, p Part, content *io.SectionReader, ready <-chan struct{}, sent func(n int64)) (*Body, error) {
	head, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	before := append(head[:len(head)-1], `,"layerPartBlob":"`...)
	return &Body{
		ctx: ctx, content: content, before: before, ready: ready, sent: sent,
		length:  int64(len(before)) + int64(base64.StdEncoding.EncodedLen(int(content.Size()))) + int64(len(after)),
		pending: before,
		raw:     make([]byte, rawSize),
		encoded: make([]byte, base64.StdEncoding.EncodedLen(rawSize)),
	}, nil
}

// Len is how many bytes are yet to be read.
func (b *Body) Len() int { return int(b.length - b.offset) }

// Read reads the body.
func (b *Body) Read(p []byte) (int, error) {
	if len(b.pending) == 0 {
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.pending)
	b.pending = b.pending[n:]
	b.offset += int64(n)
	return n, nil
}

// fill reads and encodes what comes next.
func (b *Body) fill() error {
	if err := b.ctx.Err(); err != nil {
		return context.Cause(b.ctx)
	}
	if b.offset == b.length {
		b.hashed = true
		return io.EOF
	}
	n, err := io.ReadFull(b.content, b.raw)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err // and not what came before it, which would be padded
	}
	if n > 0 {
		b.encoded = b.encoded[:base64.StdEncoding.EncodedLen(n)]
		base64.StdEncoding.Encode(b.encoded, b.raw[:n])
		b.pending = b.encoded
		if b.hashed {
			b.told += int64(n)
			b.sent(int64(n))
		}
		return nil
	}
	if int64(b.Len()) != int64(len(after)) {
		return fmt.Errorf("the content ended before its %d bytes", b.content.Size())
	}
	if b.hashed {
		select {
		case <-b.ready:
		case <-b.ctx.Done():
			return context.Cause(b.ctx)
		}
	}
	b.pending = []byte(after)
	return nil
}

// Seek tells the place or goes back to the beginning.
func (b *Body) Seek(offset int64, whence int) (int64, error) {
	switch {
	case offset == 0 && whence == io.SeekCurrent:
		return b.offset, nil
	case offset == 0 && whence == io.SeekStart:
		if b.told > 0 {
			b.sent(-b.told)
		}
		b.offset, b.told, b.pending = 0, 0, b.before
		_, err := b.content.Seek(0, io.SeekStart)
		return 0, err
	}
	return 0, errors.New("a layer part's body goes back to its beginning only")
}
