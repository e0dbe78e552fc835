package deflate

import (
	"encoding/binary"
	"math/bits"
)

// window is the plaintext around a position: what a match can reach, and what an encoder looks ahead.
// Positions count from the beginning of the stream's plaintext.
type window struct {
	buf  []byte
	base int64 // position of buf[0]
}

const (
	// keep is how much plaintext before a position the window has, in bytes: what a match reaches from the
	// beginning of an input chunk, and a margin.
	keep = maxDist + 1<<16 + 1024
	// lookahead is how much plaintext behind a position a model may read, in bytes.
	lookahead = 1<<16 + 1024
)

// The window grows with a small plaintext from smallWindow to largeWindow, in bytes.
const (
	smallWindow = 16 << 10
	largeWindow = 4 * (keep + lookahead)
	// slack is how many bytes behind the last one may be read, whatever they are.
	slack = 8
)

func newWindow() *window { return &window{buf: make([]byte, 0, smallWindow)} }

// end is the position behind the last byte.
func (w *window) end() int64 { return w.base + int64(len(w.buf)) }

// room returns free space behind the last byte, at least a quarter of the capacity; pos is the position
// that is still needed with its past.
func (w *window) room(pos int64) []byte {
	if cap(w.buf)-slack-len(w.buf) < cap(w.buf)/4 {
		if drop := int(pos - keep - w.base); drop > 0 {
			n := copy(w.buf, w.buf[drop:])
			w.buf = w.buf[:n]
			w.base += int64(drop)
		}
	}
	if size := cap(w.buf); size-slack-len(w.buf) < size/4 && size < largeWindow {
		w.buf = append(make([]byte, 0, min(2*size, largeWindow)), w.buf...)
	}
	return w.buf[len(w.buf) : cap(w.buf)-slack]
}

func (w *window) grow(n int) { w.buf = w.buf[:len(w.buf)+n] }

// at is the byte at a position.
func (w *window) at(pos int64) byte { return w.buf[pos-w.base] }

func (w *window) load32(pos int64) uint32 { return binary.LittleEndian.Uint32(w.buf[pos-w.base:]) }

// load64 reads 8 bytes; behind the end they are 0.
func (w *window) load64(pos int64) uint64 {
	i := int(pos - w.base)
	if i+8 <= len(w.buf) {
		return binary.LittleEndian.Uint64(w.buf[i:])
	}
	var tail [8]byte
	copy(tail[:], w.buf[i:])
	return binary.LittleEndian.Uint64(tail[:])
}

// matchLen returns how many bytes at a and b are equal, at most limit; a > b, and a+limit is within the
// window.
func (w *window) matchLen(a, b int64, limit int) int {
	x, y := w.buf[a-w.base:][:limit], w.buf[b-w.base:][:limit]
	n := 0
	for n+8 <= limit {
		if diff := binary.LittleEndian.Uint64(x[n:]) ^ binary.LittleEndian.Uint64(y[n:]); diff != 0 {
			return n + bits.TrailingZeros64(diff)>>3
		}
		n += 8
	}
	for n < limit && x[n] == y[n] {
		n++
	}
	return n
}
