// Package mutate damages bytes, for tests of readers of hostile input: more executions a second than the fuzzer of package
// testing, without its coverage.
package mutate

import (
	"bytes"
	"math/rand/v2"
	"slices"
)

// Bytes returns one of the seeds with up to four changes: bits flipped, bytes set, removed, repeated, or taken from another
// seed.
func Bytes(rng *rand.Rand, seeds [][]byte) []byte {
	p := bytes.Clone(seeds[rng.IntN(len(seeds))])
	for range 1 + rng.IntN(4) {
		if len(p) == 0 {
			return append(p, byte(rng.Uint32()))
		}
		at := rng.IntN(len(p))
		n := min(1+rng.IntN(8), len(p)-at)
		switch rng.IntN(7) {
		case 0:
			p[at] ^= 1 << rng.IntN(8)
		case 1:
			p[at] = byte(rng.Uint32())
		case 2:
			p[at] = []byte{0, 1, 0x7f, 0x80, 0xff}[rng.IntN(5)]
		case 3:
			p = slices.Delete(p, at, at+n)
		case 4:
			p = slices.Insert(p, at, bytes.Clone(p[at:at+n])...)
		case 5:
			p = p[:at]
		default:
			other := seeds[rng.IntN(len(seeds))]
			from := rng.IntN(len(other) + 1)
			p = append(p[:at], other[from:]...)
		}
	}
	return p
}
