package deflate

import (
	"fmt"
	"math/bits"
)

const (
	maxBits    = 15
	tableBits  = 10
	litCodes   = 288
	distCodes  = 32
	endOfBlock = 256
)

// decoder is a table for a canonical code: entries of symbol<<4 | length for the first tableBits bits, and
// the code by lengths for longer ones.
type decoder struct {
	table  [1 << tableBits]uint16
	count  [maxBits + 1]uint16
	symbol [litCodes]uint16
}

// init builds the table. A code may be incomplete only as RFC 1951 allows it: one distance code of one bit,
// or none.
func (d *decoder) init(lengths []uint8, mayBeIncomplete bool) error {
	clear(d.count[:])
	for _, l := range lengths {
		d.count[l]++
	}
	used := len(lengths) - int(d.count[0])
	d.count[0] = 0
	left := 1
	var offsets, next [maxBits + 2]uint16
	code := uint16(0)
	for l := 1; l <= maxBits; l++ {
		left = left<<1 - int(d.count[l])
		if left < 0 {
			return fmt.Errorf("%w: a Huffman code has too many symbols", ErrFormat)
		}
		offsets[l+1] = offsets[l] + d.count[l]
		code = (code + d.count[l-1]) << 1
		next[l] = code
	}
	if left > 0 && !(mayBeIncomplete && used <= 1) {
		return fmt.Errorf("%w: a Huffman code is incomplete", ErrFormat)
	}
	clear(d.table[:])
	for s, l := range lengths {
		if l == 0 {
			continue
		}
		d.symbol[offsets[l]] = uint16(s)
		offsets[l]++
		c := next[l]
		next[l]++
		if l <= tableBits {
			reversed := int(bits.Reverse16(c) >> (16 - l))
			for i := reversed; i < 1<<tableBits; i += 1 << l {
				d.table[i] = uint16(s)<<4 | uint16(l)
			}
		}
	}
	return nil
}

// encoder is the codes of a canonical code, bits reversed, and their lengths.
type encoder struct {
	code   [litCodes]uint16
	length [litCodes]uint8
}

func (e *encoder) init(lengths []uint8) {
	var count, next [maxBits + 1]uint16
	for _, l := range lengths {
		count[l]++
	}
	count[0] = 0
	code := uint16(0)
	for l := 1; l <= maxBits; l++ {
		code = (code + count[l-1]) << 1
		next[l] = code
	}
	clear(e.length[:])
	for s, l := range lengths {
		e.length[s] = l
		if l > 0 {
			e.code[s] = bits.Reverse16(next[l]) >> (16 - l)
			next[l]++
		}
	}
}

// fixedLengths are the code lengths of a block of type 1.
func fixedLengths() (lit, dist []uint8) {
	lit, dist = make([]uint8, litCodes), make([]uint8, distCodes)
	for i := range lit {
		switch {
		case i < 144:
			lit[i] = 8
		case i < 256:
			lit[i] = 9
		case i < 280:
			lit[i] = 7
		default:
			lit[i] = 8
		}
	}
	for i := range dist {
		dist[i] = 5
	}
	return lit, dist
}
