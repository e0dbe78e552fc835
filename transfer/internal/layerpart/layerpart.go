// Package layerpart writes the body of UploadLayerPart while it is sent. The
// generated client has a part in memory three times, this has 24 KiB of it, or
// 56 KiB while it is hashed.
package layerpart

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	"github.com/segmentio/asm/base64"

	"github.com/ecrkit/ecrkit/transfer/content"
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

// rawSize is how many bytes are encoded at once: with what they are encoded to,
// they stay in the cache of a core. A multiple of three has no padding, and
// net/http reads a body by as many bytes as these are encoded to.
const rawSize = 24 << 10

// group is how many characters base64 has for three bytes.
const group = 4

// Body is the body of a request. It can be read again from its beginning, for each
// time that the request is sent.
type Body struct {
	ctx     context.Context
	part    Part
	content *io.SectionReader
	before  []byte
	ready   <-chan struct{}
	sent    func(n int64)

	length  int64
	offset  int64  // of what was read
	pending []byte // read from content and encoded, but did not fit
	told    int64  // bytes of content that were read, of which sent was told
	raw     []byte
	odd     [group]byte

	signed uint64       // checksum of the content that SHA256 read
	hashed bool         // SHA256 was called
	sum    maphash.Hash // of the content that was read to be sent
}

// after ends a body. It is what is held back: without it a request is not
// complete.
const after = `"}`

// changed is the error of content that was written to while it was read.
func changed(format string, args ...any) error {
	return &content.SourceError{Err: &content.ChangedError{Err: fmt.Errorf(format, args...)}}
}

// NewBody returns the body that sends data as p. Errors of reading data are a [*content.SourceError]. Its end is held back until ready
// is closed or the context ends. sent is called with the number of bytes of content
// that are read; with a negative number if they are to be retried.
func NewBody(ctx context.Context, p Part, data *io.SectionReader, ready <-chan struct{}, sent func(n int64)) (*Body, error) {
	head, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	before := append(head[:len(head)-1], `,"layerPartBlob":"`...)
	return &Body{
		ctx: ctx, part: p, content: data, before: before, ready: ready, sent: sent,
		length:  int64(len(before)) + int64(base64.StdEncoding.EncodedLen(int(data.Size()))) + int64(len(after)),
		pending: before,
		raw:     make([]byte, min(rawSize, data.Size())),
	}, nil
}

// Len returns how many bytes are yet to be read.
func (b *Body) Len() int { return int(b.length - b.offset) }

// SHA256 returns the hash of the whole body in hexadecimal, which is what its
// signature is over. It does not wait for ready, and sent is not called.
func (b *Body) SHA256() (string, error) {
	hash := sha256.New()
	hash.Write(b.before)
	b.sum.Reset()
	encoded := make([]byte, rawSize/3*group)
	for at := int64(0); at < b.content.Size(); {
		n, err := b.encode(encoded, at)
		if err != nil {
			return "", err
		}
		hash.Write(encoded[:base64.StdEncoding.EncodedLen(n)])
		b.sum.Write(b.raw[:n])
		at += int64(n)
	}
	b.signed, b.hashed = b.sum.Sum64(), true
	b.sum.Reset()
	hash.Write([]byte(after))
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// encode writes the content from the byte at on to dst, as much as fits, and returns
// how many bytes of the content these are: a multiple of three, unless they are the
// last ones.
func (b *Body) encode(dst []byte, at int64) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	raw := b.raw[:min(int64(len(dst)/group*3), rawSize, b.content.Size()-at)]
	n, err := b.content.ReadAt(raw, at)
	switch {
	case n == len(raw):
	case err == io.EOF:
		// The content had its size when the upload began.
		return 0, changed("the content ended before its %d bytes", b.content.Size())
	default:
		return 0, &content.SourceError{Err: err}
	}
	base64.StdEncoding.Encode(dst, raw)
	return n, nil
}

// Read reads the body.
func (b *Body) Read(p []byte) (n int, err error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case len(b.pending) > 0:
		n = copy(p, b.pending)
		b.pending = b.pending[n:]
	case b.offset == b.length:
		return 0, io.EOF
	case b.told < b.content.Size():
		n, err = b.readContent(p)
	default:
		n, err = b.readEnd(p)
	}
	b.offset += int64(n)
	return n, err
}

// readContent reads what comes next of the content, encoded.
func (b *Body) readContent(p []byte) (int, error) {
	dst := p
	if len(p) < group {
		dst = b.odd[:]
	}
	n, err := b.encode(dst, b.told)
	if err != nil {
		return 0, err
	}
	b.told += int64(n)
	b.sum.Write(b.raw[:n])
	b.sent(int64(n))
	encoded := base64.StdEncoding.EncodedLen(n)
	if len(p) < group {
		b.pending = b.odd[copy(p, b.odd[:encoded]):encoded]
	}
	return min(len(p), encoded), nil
}

// readEnd reads the end, once the part before has arrived.
func (b *Body) readEnd(p []byte) (int, error) {
	select {
	case <-b.ready:
	case <-b.ctx.Done():
	}
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	if b.hashed && b.sum.Sum64() != b.signed {
		// The service would refuse the signature, and say that the secret key is wrong.
		return 0, changed("bytes %d to %d were read twice and differ", b.part.First, b.part.Last)
	}
	n := copy(p, after)
	b.pending = []byte(after)[n:]
	return n, nil
}

// Seek returns the place or goes back to the beginning.
func (b *Body) Seek(offset int64, whence int) (int64, error) {
	switch {
	case offset == 0 && whence == io.SeekCurrent:
		return b.offset, nil
	case offset == 0 && whence == io.SeekStart:
		if b.told > 0 {
			b.sent(-b.told)
		}
		b.offset, b.told, b.pending = 0, 0, b.before
		b.sum.Reset()
		return 0, nil
	}
	return 0, errors.New("a layer part's body goes back to its beginning only")
}
