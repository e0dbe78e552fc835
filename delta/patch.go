package delta

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// ErrPatch reports a patch that is damaged or does not fit its bases.
var ErrPatch = errors.New("the patch is damaged")

// A patch is a sequence of segments. Each has a dictionary, which is ranges of the bases, and a zstd frame
// that was compressed with it: operations and literal bytes. An operation is literal bytes, and then a copy
// from a base.
const (
	// maxLiterals, maxOperations and maxDictionary bound a segment: its literal bytes, the bytes of its
	// operations, and its dictionary.
	maxLiterals   = 1 << 20
	maxOperations = 1 << 20
	maxDictionary = 4 << 20
	// moreDictionary is how many bytes all dictionaries may have for each byte of the segments, besides the first
	// maxDictionary: a segment that is not the last one has almost maxLiterals or maxOperations.
	moreDictionary = 5
	// maxRanges bounds the ranges of a dictionary.
	maxRanges = 1 << 14
	// dictionaryID is what the frames name.
	dictionaryID = 1
)

// span is a range of a base.
type span struct {
	base        int
	first, size int64
}

// segmentWriter collects a segment.
type segmentWriter struct {
	out        io.Writer
	bases      []*Plaintext
	ops        []byte
	literals   []byte
	pending    int // literals that no operation has yet
	dictionary []span
	dictSize   int64
	last       []int64 // where the last copy from each base has ended
	written    int64
}

func newSegmentWriter(out io.Writer, bases []*Plaintext) *segmentWriter {
	return &segmentWriter{out: out, bases: bases, last: make([]int64, len(bases))}
}

func (s *segmentWriter) literal(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), maxLiterals-len(s.literals))
		s.literals = append(s.literals, p[:n]...)
		s.pending += n
		p = p[n:]
		if len(s.literals) == maxLiterals {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// copy adds a copy, behind the literals before it.
func (s *segmentWriter) copy(c span) error {
	s.ops = binary.AppendUvarint(s.ops, uint64(s.pending))
	s.ops = binary.AppendUvarint(s.ops, uint64(c.size))
	s.ops = binary.AppendUvarint(s.ops, uint64(c.base))
	s.ops = binary.AppendVarint(s.ops, c.first-s.last[c.base])
	s.last[c.base] = c.first + c.size
	s.pending = 0
	if len(s.ops) > maxOperations-64 {
		return s.flush()
	}
	return nil
}

// resemble adds a range that the next literals are probably like.
func (s *segmentWriter) resemble(c span) {
	base := s.bases[c.base]
	if c.first < 0 {
		c.size += c.first
		c.first = 0
	}
	c.size = min(c.size, base.Plain-c.first)
	if n := len(s.dictionary); n > 0 { // overlaps the one before it, or follows it
		last := &s.dictionary[n-1]
		if last.base == c.base && c.first >= last.first && c.first <= last.first+last.size {
			end := min(c.first+c.size, last.first+last.size+maxDictionary-s.dictSize)
			if grown := end - last.first - last.size; grown > 0 {
				last.size += grown
				s.dictSize += grown
			}
			return
		}
	}
	if c.size = min(c.size, maxDictionary-s.dictSize); c.size > 0 && len(s.dictionary) < maxRanges {
		s.dictionary = append(s.dictionary, c)
		s.dictSize += c.size
	}
}

// flush writes the segment.
func (s *segmentWriter) flush() error {
	if s.pending > 0 {
		s.ops = binary.AppendUvarint(s.ops, uint64(s.pending))
		s.ops = binary.AppendUvarint(s.ops, 0)
		s.pending = 0
	}
	if len(s.ops) == 0 {
		return nil
	}
	dictionary, err := readSpans(s.bases, s.dictionary, s.dictSize)
	if err != nil {
		return err
	}
	options := []zstd.EOption{zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8 << 20), zstd.WithEncoderCRC(false)}
	if len(dictionary) >= 8 {
		options = append(options, zstd.WithEncoderDictRaw(dictionaryID, dictionary))
	}
	encoder, err := zstd.NewWriter(nil, options...)
	if err != nil {
		return err
	}
	frame := encoder.EncodeAll(append(s.ops, s.literals...), nil)
	header := binary.AppendUvarint(nil, uint64(len(s.ops)))
	header = binary.AppendUvarint(header, uint64(len(s.literals)))
	header = binary.AppendUvarint(header, uint64(len(s.dictionary)))
	for _, d := range s.dictionary {
		header = binary.AppendUvarint(header, uint64(d.base))
		header = binary.AppendUvarint(header, uint64(d.first))
		header = binary.AppendUvarint(header, uint64(d.size))
	}
	header = binary.AppendUvarint(header, uint64(len(frame)))
	for _, p := range [][]byte{header, frame} {
		if _, err := s.out.Write(p); err != nil {
			return err
		}
		s.written += int64(len(p))
	}
	s.ops, s.literals, s.dictionary, s.dictSize = s.ops[:0], s.literals[:0], s.dictionary[:0], 0
	return nil
}

// readSpans returns the bytes of ranges of bases.
func readSpans(bases []*Plaintext, spans []span, size int64) ([]byte, error) {
	all := make([]byte, 0, size)
	for _, d := range spans {
		n := len(all)
		all = all[:n+int(d.size)]
		if _, err := bases[d.base].file.ReadAt(all[n:], d.first); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// patchReader makes a plaintext from a patch. The patch may be hostile: errors wrap [ErrPatch].
type patchReader struct {
	ctx      context.Context
	in       *bufio.Reader
	bases    []*Plaintext
	last     []int64
	ops      []byte
	literals []byte
	literal  int // bytes to take of the literals now
	copying  span
	left     int64 // of the plaintext
	// dictionaries is how many bytes of dictionaries may still be read.
	dictionaries int64
}

func newPatchReader(ctx context.Context, r io.Reader, bases []*Plaintext, size int64) *patchReader {
	return &patchReader{ctx: ctx, in: bufio.NewReaderSize(r, 64<<10), bases: bases, last: make([]int64, len(bases)), left: size, dictionaries: maxDictionary}
}

func damagedPatch(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrPatch}, args...)...)
}

// Read reads plaintext.
func (r *patchReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) || len(r.ops) > 0 || r.literal > 0 || len(r.literals) > 0 || r.copying.size > 0 {
			return 0, damagedPatch("it is longer than the layer")
		}
		return 0, io.EOF
	}
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	for r.literal == 0 && r.copying.size == 0 {
		if err := r.operation(); err != nil {
			return 0, err
		}
	}
	p = p[:min(int64(len(p)), r.left)]
	n := 0
	if r.literal > 0 {
		n = copy(p, r.literals[:r.literal])
		r.literals = r.literals[n:]
		r.literal -= n
	} else {
		var err error
		n = int(min(int64(len(p)), r.copying.size))
		if n, err = r.bases[r.copying.base].file.ReadAt(p[:n], r.copying.first); err != nil {
			return 0, err
		}
		r.copying.first += int64(n)
		r.copying.size -= int64(n)
	}
	r.left -= int64(n)
	return n, nil
}

// operation reads the next operation.
func (r *patchReader) operation() error {
	if len(r.ops) == 0 {
		if len(r.literals) > 0 {
			return damagedPatch("a segment has %d bytes that no operation takes", len(r.literals))
		}
		return r.segment()
	}
	literal, err := takeNumber(&r.ops)
	if err != nil {
		return err
	}
	size, err := takeNumber(&r.ops)
	if err != nil {
		return err
	}
	if literal == 0 && size == 0 {
		return damagedPatch("an operation does nothing")
	}
	if literal > uint64(len(r.literals)) || size > uint64(r.left) {
		return damagedPatch("an operation takes %d and %d bytes", literal, size)
	}
	r.literal, r.copying = int(literal), span{}
	if size == 0 {
		return nil
	}
	base, err := takeNumber(&r.ops)
	if err != nil {
		return err
	}
	offset, n := binary.Varint(r.ops)
	if n <= 0 || base >= uint64(len(r.bases)) {
		return damagedPatch("an operation copies from base %d", base)
	}
	r.ops = r.ops[n:]
	first := r.last[base] + offset
	if end := r.bases[base].Plain; first < 0 || first > end || int64(size) > end-first {
		return damagedPatch("an operation copies %d bytes from %d on of a base of %d", size, first, end)
	}
	r.last[base] = first + int64(size)
	r.copying = span{int(base), first, int64(size)}
	return nil
}

func takeNumber(p *[]byte) (uint64, error) {
	v, n := binary.Uvarint(*p)
	if n <= 0 {
		return 0, damagedPatch("an operation is cut off")
	}
	*p = (*p)[n:]
	return v, nil
}

// segment reads the next segment.
func (r *patchReader) segment() error {
	var numbers [3]uint64
	for i, limit := range []uint64{maxOperations, maxLiterals, maxRanges} {
		v, err := binary.ReadUvarint(r.in)
		if err != nil || v > limit {
			return damagedPatch("the head of a segment, %d: %w", v, errOr(err))
		}
		numbers[i] = v
	}
	var dictionary []span
	total := int64(0)
	for range numbers[2] {
		var v [3]uint64
		for i := range v {
			var err error
			if v[i], err = binary.ReadUvarint(r.in); err != nil {
				return damagedPatch("a dictionary is cut off: %w", err)
			}
		}
		if v[0] >= uint64(len(r.bases)) || v[1] > uint64(r.bases[v[0]].Plain) || v[2] > uint64(r.bases[v[0]].Plain)-v[1] || v[2] > uint64(maxDictionary-total) {
			return damagedPatch("a dictionary has %d bytes from %d on of base %d", v[2], v[1], v[0])
		}
		total += int64(v[2])
		dictionary = append(dictionary, span{int(v[0]), int64(v[1]), int64(v[2])})
	}
	size, err := binary.ReadUvarint(r.in)
	if err != nil || size > 2*(maxOperations+maxLiterals) || numbers[0] == 0 {
		return damagedPatch("a segment of %d bytes: %w", size, errOr(err))
	}
	frame := make([]byte, size)
	if _, err := io.ReadFull(r.in, frame); err != nil {
		return damagedPatch("a segment is cut off: %w", err)
	}
	options := []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxOperations + maxLiterals), zstd.WithDecoderMaxWindow(8 << 20)}
	bytesOf, err := readSpans(r.bases, dictionary, total)
	if err != nil {
		return err
	}
	if len(bytesOf) >= 8 {
		options = append(options, zstd.WithDecoderDictRaw(dictionaryID, bytesOf))
	}
	decoder, err := zstd.NewReader(nil, options...)
	if err != nil {
		return err
	}
	defer decoder.Close()
	payload, err := decoder.DecodeAll(frame, nil)
	if err != nil {
		return damagedPatch("a segment: %w", err)
	}
	// Small segments do not have one large dictionary after the other read.
	if r.dictionaries += moreDictionary*int64(len(payload)) - total; r.dictionaries < 0 {
		return damagedPatch("its dictionaries are larger than its segments need")
	}
	if uint64(len(payload)) != numbers[0]+numbers[1] {
		return damagedPatch("a segment has %d bytes, not %d", len(payload), numbers[0]+numbers[1])
	}
	r.ops, r.literals = payload[:numbers[0]], payload[numbers[0]:]
	return nil
}

// errOr returns err, or that a number is too large.
func errOr(err error) error {
	if err == nil {
		return errors.New("out of bounds")
	}
	return err
}
