package deflate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// bitReader reads bits, lowest first.
type bitReader struct {
	r          io.Reader
	buf        []byte
	at, end    int
	acc        uint64
	n          uint
	err        error
	underflows bool
}

func newBitReader(r io.Reader) *bitReader { return &bitReader{r: r, buf: make([]byte, 64<<10)} }

// fill makes at least 48 bits available, or as many as there are.
func (b *bitReader) fill() {
	if b.end-b.at >= 8 {
		b.acc |= binary.LittleEndian.Uint64(b.buf[b.at:]) << b.n
		taken := (63 - b.n) >> 3
		b.at += int(taken)
		b.n += taken * 8
		return
	}
	for b.n <= 56 {
		if b.at == b.end {
			if b.err != nil {
				return
			}
			b.at = 0
			b.end, b.err = io.ReadAtLeast(b.r, b.buf, 1)
			continue
		}
		b.acc |= uint64(b.buf[b.at]) << b.n
		b.at++
		b.n += 8
	}
}

// peek returns the next bits without taking them; behind the end they are 0.
func (b *bitReader) peek(n uint) uint32 {
	if b.n < n {
		b.fill()
	}
	return uint32(b.acc & (1<<n - 1))
}

func (b *bitReader) drop(n uint) {
	if b.n < n {
		b.underflows = true
		b.acc, b.n = 0, 0
		return
	}
	b.acc >>= n
	b.n -= n
}

// take takes at most 32 bits.
func (b *bitReader) take(n uint) uint32 {
	v := b.peek(n)
	b.drop(n)
	return v
}

// check returns the error of the reader, if bits behind the end were asked for.
func (b *bitReader) check() error {
	if !b.underflows {
		return nil
	}
	if errors.Is(b.err, io.EOF) || b.err == nil {
		return fmt.Errorf("%w: it ends early: %w", ErrFormat, io.ErrUnexpectedEOF)
	}
	return b.err
}

// atEnd reports whether there is no further byte.
func (b *bitReader) atEnd() bool {
	b.fill()
	return b.n == 0
}

// readFull reads whole bytes, from a byte boundary.
func (b *bitReader) readFull(p []byte) error {
	for i := range p {
		if b.n < 8 && b.at < b.end {
			b.acc = 0 // bits of a byte that is copied now
			n := copy(p[i:], b.buf[b.at:b.end])
			b.at += n
			if i+n == len(p) {
				return nil
			}
			return b.readFull(p[i+n:])
		}
		p[i] = byte(b.take(8))
	}
	return b.check()
}

func (b *bitReader) symbol(d *decoder) int {
	if b.n < maxBits {
		b.fill()
	}
	if e := d.table[b.acc&(1<<tableBits-1)]; e != 0 {
		b.drop(uint(e & 15))
		return int(e >> 4)
	}
	code, first, index := 0, 0, 0
	acc := b.acc
	for l := 1; l <= maxBits; l++ {
		code |= int(acc & 1)
		acc >>= 1
		count := int(d.count[l])
		if code-count < first {
			b.drop(uint(l))
			return int(d.symbol[index+code-first])
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return -1
}

// bitWriter writes bits, lowest first.
type bitWriter struct {
	w   io.Writer
	buf []byte
	acc uint64
	n   uint
	// written is how many whole bytes there are, and limit how many there may be.
	written, limit int64
	err            error
}

func newBitWriter(w io.Writer, limit int64) *bitWriter {
	return &bitWriter{w: w, buf: make([]byte, 0, min(64<<10, limit+64)), limit: limit}
}

// put writes at most 32 bits.
func (b *bitWriter) put(v uint32, n uint) {
	b.acc |= uint64(v) << b.n
	b.n += n
	if b.n < 32 {
		return
	}
	b.buf = binary.LittleEndian.AppendUint32(b.buf, uint32(b.acc))
	b.acc >>= 32
	b.n -= 32
	if len(b.buf) >= cap(b.buf)-8 {
		b.flush()
	}
}

func (b *bitWriter) flush() {
	for b.n >= 8 {
		b.buf = append(b.buf, byte(b.acc))
		b.acc >>= 8
		b.n -= 8
	}
	b.written += int64(len(b.buf))
	if b.err == nil && b.written > b.limit {
		b.err = fmt.Errorf("%w: the stream would have more than %d bytes", ErrDescription, b.limit)
	}
	if b.err == nil {
		_, b.err = b.w.Write(b.buf)
	}
	b.buf = b.buf[:0]
}

// padding is how many bits are missing to a whole byte.
func (b *bitWriter) padding() uint { return (8 - b.n&7) & 7 }

// bytes writes whole bytes, at a byte boundary.
func (b *bitWriter) bytes(p []byte) {
	b.flush()
	if b.err == nil {
		if b.written += int64(len(p)); b.written > b.limit {
			b.err = fmt.Errorf("%w: the stream would have more than %d bytes", ErrDescription, b.limit)
			return
		}
		_, b.err = b.w.Write(p)
	}
}
