package deflate

import "errors"

// Errors of a stream or a description.
var (
	// ErrFormat reports bytes that are not a gzip stream, or not one that can be described.
	ErrFormat = errors.New("not a gzip stream that can be described")
	// ErrDescription reports a description that does not fit its plaintext, or is damaged.
	ErrDescription = errors.New("the description of the stream is damaged")
)

// Token is a literal byte, below 256, or a match: length in bits 16 and up, distance − 1 below. Length
// altLength is 258 bytes in the code of 257 with an offset, which few encoders write.
type Token uint32

const (
	minMatch  = 3
	maxMatch  = 258
	altLength = 259
	maxDist   = 1 << 15
)

func matchToken(length, dist int) Token { return Token(length<<16 | (dist - 1)) }

func (t Token) isMatch() bool { return t >= 1<<16 }

func (t Token) dist() int { return int(t&0xffff) + 1 }

// code is the length as it is coded: altLength for the rare code of 258.
func (t Token) code() int { return int(t >> 16) }

// length is how many bytes of plaintext the token stands for.
func (t Token) length() int {
	if !t.isMatch() {
		return 1
	}
	return min(t.code(), maxMatch)
}

// The codes of lengths and distances, RFC 1951, section 3.2.5.
var (
	lengthBase  [29]uint16
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	lengthSlot  [maxMatch + 1]uint8
	distBase    [30]uint16
	distExtra   [30]uint8
	distSlots   [512]uint8
	// clOrder is the order of the lengths of the code for code lengths.
	clOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

func init() {
	base := minMatch
	for i := range 28 {
		lengthBase[i] = uint16(base)
		for range 1 << lengthExtra[i] {
			if base < maxMatch {
				lengthSlot[base] = uint8(i)
			}
			base++
		}
	}
	lengthBase[28], lengthSlot[maxMatch] = maxMatch, 28
	base = 1
	for i := range 30 {
		distBase[i] = uint16(base)
		if i >= 2 {
			distExtra[i] = uint8(i/2 - 1)
		}
		for d := base; d < base+1<<distExtra[i]; d++ {
			if d <= 256 {
				distSlots[d-1] = uint8(i)
			} else {
				distSlots[256+(d-1)>>7] = uint8(i)
			}
		}
		base += 1 << distExtra[i]
	}
}

func distSlot(dist int) int {
	if dist <= 256 {
		return int(distSlots[dist-1])
	}
	return int(distSlots[256+(dist-1)>>7])
}
