package tokenfile

import "math/bits"

// sum256 is sha256.Sum256 of package crypto/sha256, whose own package is
// initialized too late for package startup: the generic code of Go's
// crypto/internal/fips140/sha256 for a message that is in memory, compared with
// the original by TestSum256.
func sum256(message []byte) [32]byte {
	// The padding of FIPS 180-4, section 5.1.1: a bit, zeros, the length in bits.
	whole := len(message) / blockSize * blockSize
	var last [2 * blockSize]byte
	n := copy(last[:], message[whole:])
	last[n] = 0x80
	end := blockSize
	if n >= blockSize-8 {
		end = 2 * blockSize
	}
	for i, length := range bigEndian64(uint64(len(message)) * 8) {
		last[end-8+i] = length
	}

	h := [8]uint32{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}
	addBlocks(&h, message[:whole])
	addBlocks(&h, last[:end])

	var sum [32]byte
	for i, word := range h {
		sum[4*i], sum[4*i+1], sum[4*i+2], sum[4*i+3] = byte(word>>24), byte(word>>16), byte(word>>8), byte(word)
	}
	return sum
}

const blockSize = 64 // bytes

func bigEndian64(v uint64) [8]byte {
	return [8]byte{byte(v >> 56), byte(v >> 48), byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
}

// addBlocks hashes whole blocks: FIPS 180-4, section 6.2.2.
func addBlocks(hash *[8]uint32, blocks []byte) {
	var w [64]uint32
	for ; len(blocks) >= blockSize; blocks = blocks[blockSize:] {
		a, b, c, d, e, f, g, h := hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]
		for i := range 64 {
			if i < 16 {
				j := i * 4
				w[i] = uint32(blocks[j])<<24 | uint32(blocks[j+1])<<16 | uint32(blocks[j+2])<<8 | uint32(blocks[j+3])
			} else {
				v1 := w[i-2]
				t1 := bits.RotateLeft32(v1, -17) ^ bits.RotateLeft32(v1, -19) ^ v1>>10
				v2 := w[i-15]
				t2 := bits.RotateLeft32(v2, -7) ^ bits.RotateLeft32(v2, -18) ^ v2>>3
				w[i] = t1 + w[i-7] + t2 + w[i-16]
			}
			t1 := h + (bits.RotateLeft32(e, -6) ^ bits.RotateLeft32(e, -11) ^ bits.RotateLeft32(e, -25)) + (e&f ^ ^e&g) + roundConstants[i] + w[i]
			t2 := (bits.RotateLeft32(a, -2) ^ bits.RotateLeft32(a, -13) ^ bits.RotateLeft32(a, -22)) + (a&b ^ a&c ^ b&c)
			h, g, f, e, d, c, b, a = g, f, e, d+t1, c, b, a, t1+t2
		}
		for i, v := range [8]uint32{a, b, c, d, e, f, g, h} {
			hash[i] += v
		}
	}
}

// roundConstants are those of FIPS 180-4, section 4.2.2.
var roundConstants = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}
