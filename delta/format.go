package delta

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/delta/internal/deflate"
	"github.com/ecrkit/ecrkit/internal/strictjson"
)

const (
	// MediaType is that of a delta.
	MediaType = "application/vnd.ecrkit.layer.delta.v1"
	magic     = "ecrkit delta 1\n"
	version   = 1
	// maxHeader bounds the header, in bytes.
	maxHeader = 64 << 10
	// maxPlain bounds the plaintext of a layer, in bytes.
	maxPlain = 1 << 40
	// maxRatio is how much smaller than its plaintext a gzip stream can be: DEFLATE needs two bits for 258 bytes.
	maxRatio = 1032
)

var (
	// ErrFormat reports bytes that are not a delta that this version can read.
	ErrFormat = errors.New("not a delta that can be read")
	// ErrBases reports other bases than those that a delta names.
	ErrBases = errors.New("not the bases of the delta")
)

// Encoder is a model of an encoder, one of [Encoders], and how it cuts its input into segments that are compressed
// independently: struct{ Model string; Segment, Dictionary int64 }. Segment is the size of a segment in bytes, 0 is the
// whole input; Dictionary is how many bytes of the segment before may be matched.
type Encoder = deflate.Encoder

// Header describes a delta. Its JSON form is the first part of the format.
type Header struct {
	Version int `json:"version"`
	// Layer is what is rebuilt: the digest and size of its compressed bytes.
	Layer LayerID `json:"layer"`
	// Plain is the size of its plaintext, in bytes.
	Plain int64 `json:"plain"`
	// Encoding is how the layer is compressed: gzip, zstd or none. The plaintext of a zstd layer and of its bases is their
	// compressed bytes.
	Encoding string `json:"encoding"`
	// Encoder is the model that the description is of; nil without compression.
	Encoder *Encoder `json:"encoder,omitempty"`
	// Bases are the layers that the patch is against, in the order of their numbers.
	Bases []LayerID `json:"bases"`
	// Description and Patch are the sizes of the other parts, in bytes.
	Description int64 `json:"description"`
	Patch       int64 `json:"patch"`
}

// LayerID is a layer by its compressed bytes.
type LayerID struct {
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
}

// EncoderName is the model of the encoder that the layer was written by, for people and inventories.
func (h Header) EncoderName() string {
	switch {
	case h.Encoder != nil:
		return h.Encoder.Model
	case h.Encoding == encodingZstd:
		return zstdRanges
	default:
		return encodingNone
	}
}

// zstdRanges is the encoder of zstd layers, whose compressed bytes are taken from those of the bases.
const zstdRanges = "zstd-ranges"

// Encoders returns the names of the encoders that this version can rebuild streams of. A name stands for
// the same bytes for ever.
func Encoders() []string { return append([]string{encodingNone, zstdRanges}, deflate.Models()...) }

func (h Header) check(size int64) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrFormat}, args...)...)
	}
	if h.Version != version {
		return bad("it has version %d; this ecrkit reads version %d", h.Version, version)
	}
	for _, p := range append([]LayerID{h.Layer}, h.Bases...) {
		if err := p.Digest.Validate(); err != nil || p.Size < 0 {
			return bad("layer %q of %d bytes", p.Digest, p.Size)
		}
	}
	if h.Plain < 0 || h.Plain > maxPlain || len(h.Bases) > MaxBases {
		return bad("a plaintext of %d bytes from %d bases", h.Plain, len(h.Bases))
	}
	switch {
	case (h.Encoding == encodingNone || h.Encoding == encodingZstd) && h.Encoder == nil && h.Description == 0 && h.Plain == h.Layer.Size:
	case h.Encoding == encodingGzip && h.Encoder != nil && h.Plain/maxRatio <= h.Layer.Size:
	default:
		return bad("encoding %q", h.Encoding)
	}
	if h.Description < 0 || h.Patch < 0 || h.Description > size || h.Patch > size-h.Description {
		return bad("its parts have %d and %d bytes, and it has %d", h.Description, h.Patch, size)
	}
	return nil
}

// write writes what is before the description.
func (h Header) write(w io.Writer) (int64, error) {
	data, err := json.Marshal(h)
	if err != nil {
		return 0, err
	}
	p := append([]byte(magic), binary.BigEndian.AppendUint32(nil, uint32(len(data)))...)
	n, err := w.Write(append(p, data...))
	return int64(n), err
}

// ReadHeader reads the header of a delta of so many bytes. The error wraps [ErrFormat].
func ReadHeader(r io.ReaderAt, size int64) (Header, error) {
	h, _, err := readHeader(r, size)
	return h, err
}

// readHeader returns where the description begins, too.
func readHeader(r io.ReaderAt, size int64) (Header, int64, error) {
	var h Header
	head := make([]byte, len(magic)+4)
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return h, 0, err
	}
	n := int64(binary.BigEndian.Uint32(head[len(magic):]))
	if string(head[:len(magic)]) != magic || n > maxHeader || n > size-int64(len(head)) {
		return h, 0, fmt.Errorf("%w: it does not begin like one", ErrFormat)
	}
	data := make([]byte, n)
	if _, err := r.ReadAt(data, int64(len(head))); err != nil && !errors.Is(err, io.EOF) {
		return h, 0, err
	}
	if err := strictjson.Unmarshal(data, &h); err != nil {
		return h, 0, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	// A member that this version does not know may change what the others mean.
	known := json.NewDecoder(bytes.NewReader(data))
	known.DisallowUnknownFields()
	if err := known.Decode(new(Header)); err != nil {
		return h, 0, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	rest := size - int64(len(head)) - n
	if err := h.check(rest); err != nil {
		return h, 0, err
	}
	if h.Description+h.Patch != rest {
		return h, 0, fmt.Errorf("%w: it has %d bytes behind its header, not %d", ErrFormat, rest, h.Description+h.Patch)
	}
	return h, int64(len(head)) + n, nil
}
