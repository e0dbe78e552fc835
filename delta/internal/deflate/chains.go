package deflate

import "encoding/binary"

// chains predicts encoders that search hash chains for the longest match: zlib, GNU gzip and pigz, and
// levels 2 to 9 of Go's compress/flate. Lazy ones look for a longer match at the next byte before they take
// one.
type chains struct {
	w *window
	chainRules
	head [1 << 17]uint32 // zlib has 1 << 15 of them
	prev [maxDist]uint16 // how far the position before is in the chain of each, at most nothing
	memory

	first, end int64 // of what matches may reach
	next       int64 // first position that is not in the chains
	// known: here is the match at the current position. ahead: so is the one at the next.
	known, ahead bool
	here, there  match
}

type match struct{ length, dist int }

// chainRules tell encoders and their levels apart.
type chainRules struct {
	good, lazy, nice, chain int
	lazily                  bool
	minLength               int // of the hash, and of matches
	// farthest is the largest distance of the first candidate; that of others is below farther.
	farthest, farther int64
	tooFar            int  // a match of minLength farther away is not taken
	zeroMatches       bool // the first byte can be matched
	maxInsert         int  // longer matches are not put into the chains; 0 for lazy encoders
	goHash            bool
}

func zlibRules(level int) chainRules {
	r := chainRules{minLength: 3, farthest: maxDist - 262, farther: maxDist - 262, tooFar: 4096}
	table := [10][4]int{{}, {4, 4, 8, 4}, {4, 5, 16, 8}, {4, 6, 32, 32}, {4, 4, 16, 16}, {8, 16, 32, 32}, {8, 16, 128, 128}, {8, 32, 128, 256}, {32, 128, 258, 1024}, {32, 258, 258, 4096}}
	r.good, r.lazy, r.nice, r.chain = table[level][0], table[level][1], table[level][2], table[level][3]
	r.lazily = level > 3
	if !r.lazily {
		r.maxInsert, r.tooFar = r.lazy, maxDist
	}
	return r
}

func goRules(level int) chainRules {
	r := chainRules{minLength: 4, farthest: maxDist, farther: maxDist + 1, tooFar: 4096, zeroMatches: true, goHash: true}
	table := [10][4]int{{}, {}, {4, 5, 16, 8}, {4, 6, 32, 32}, {4, 4, 16, 16}, {8, 16, 32, 32}, {8, 16, 128, 128}, {8, 32, 128, 256}, {32, 128, 258, 1024}, {32, 258, 258, 4096}}
	r.good, r.lazy, r.nice, r.chain = table[level][0], table[level][1], table[level][2], table[level][3]
	r.lazily = level > 3
	if !r.lazily {
		r.maxInsert = r.lazy
	}
	return r
}

func newChains(w *window, rules chainRules) *chains {
	return &chains{w: w, chainRules: rules}
}

// nothing is a distance that no match has.
const nothing = 1<<16 - 1

// nowhere is an entry that is out of reach of all positions from pos on.
func nowhere(pos int64) uint32 { return uint32(pos - 1<<30) }

// memory knows when the tables of a model have to be cleared.
type memory struct{ cleared int64 }

// stale reports whether the tables have to be cleared for the input from start to end, whose matches reach back to first.
// Positions before first are out of reach as they are. So tables are not cleared for each of many small members. A
// dictionary is put in again, and positions are of 32 bits.
func (m *memory) stale(first, start, end int64) bool {
	if start > 0 && first == start && end-m.cleared < 1<<31 {
		return false
	}
	m.cleared = start
	return true
}

func (c *chains) reset(first, start, end int64) {
	if c.stale(first, start, end) {
		head := c.head[:1<<15]
		if c.goHash {
			head = c.head[:]
		}
		for i := range head {
			head[i] = nowhere(start)
		}
	}
	c.first, c.next, c.end = first, first, end
	c.known, c.ahead = false, false
}

// insert puts positions before pos into the chains.
func (c *chains) insert(pos int64) {
	next := c.next
	if next >= pos {
		return
	}
	c.next = pos
	buf := c.w.buf[:cap(c.w.buf)]
	if c.goHash {
		for last := min(pos, c.end-3); next < last; next++ {
			h := binary.BigEndian.Uint32(buf[next-c.w.base:]) * 0x1e35a7bd >> 15
			c.prev[next&(maxDist-1)] = uint16(min(uint32(next)-c.head[h], nothing))
			c.head[h] = uint32(next)
		}
		return
	}
	for last := min(pos, c.end-2); next < last; next++ {
		v := binary.LittleEndian.Uint32(buf[next-c.w.base:])
		h := (v<<10 ^ v>>3&(255<<5) ^ v>>16&255) & (1<<15 - 1)
		c.prev[next&(maxDist-1)] = uint16(min(uint32(next)-c.head[h], nothing))
		c.head[h] = uint32(next)
	}
}

// enter puts pos into its chain unless it is there, and returns how far the candidate before it is.
func (c *chains) enter(pos int64) uint32 {
	c.insert(pos + 1)
	if pos+int64(c.minLength) > c.end {
		return nothing
	}
	return uint32(c.prev[pos&(maxDist-1)])
}

// search returns the first of the longest matches at pos that are longer than longest, which is at least 2.
func (c *chains) search(pos int64, dist uint32, longest int) (m match) {
	m.length = longest
	look := int(min(maxMatch, c.end-pos))
	if longest >= look {
		return m
	}
	nice := min(c.nice, look)
	tries := c.chain
	if longest >= c.good {
		tries >>= 2
	}
	buf := c.w.buf[:cap(c.w.buf)]
	at := int(pos - c.w.base)
	back := min(pos-c.first, int64(at)) // how far it is to the first byte
	if !c.zeroMatches {
		back = min(pos-c.first-1, int64(at))
	}
	// A distance of 0 is one too far, too.
	limit, farther := uint32(max(min(c.farthest, back), 0)), uint32(max(min(c.farther-1, back), 0))
	ends := buf[max(longest-3, 0):] // the last four bytes of a longer match, or the three of one
	mask := uint32(1<<32 - 1)
	if longest == 2 {
		mask = 1<<24 - 1
	}
	last := binary.LittleEndian.Uint32(ends[at:]) & mask
	for ; tries > 0 && dist-1 < limit; tries-- {
		limit = farther
		if binary.LittleEndian.Uint32(ends[at-int(dist):])&mask == last {
			n := c.w.matchLen(pos, pos-int64(dist), look)
			if n > m.length && !(c.goHash && n == c.minLength && int(dist) > c.tooFar) {
				m = match{n, int(dist)}
				if n >= nice {
					return m
				}
				ends, mask = buf[n-3:], 1<<32-1
				last = binary.LittleEndian.Uint32(ends[at:])
			}
		}
		// At maxDist, the place in the chains is that of pos, and the sum is out of reach.
		dist += uint32(c.prev[(uint32(pos)-dist)&(maxDist-1)])
	}
	return m
}

// find returns the match at pos that an encoder would find that has one of so many bytes before it.
func (c *chains) find(pos int64, longest int) match {
	dist := c.enter(pos)
	none := match{length: c.minLength - 1}
	if c.lazily && longest >= c.lazy {
		return none
	}
	if c.goHash || longest < c.minLength-1 {
		longest = c.minLength - 1
	}
	m := c.search(pos, dist, longest)
	if m.dist == 0 || m.length == c.minLength && m.dist > c.tooFar {
		return none
	}
	return m
}

func (c *chains) predict(pos int64) Token {
	if !c.known {
		c.here, c.known = c.find(pos, 0), true
	}
	if c.here.length < c.minLength || c.here.dist == 0 {
		return Token(c.w.at(pos))
	}
	if c.lazily && !c.ahead && pos+1 < c.end {
		c.there, c.ahead = c.find(pos+1, c.here.length), true
	}
	if c.ahead && c.there.length > c.here.length {
		return Token(c.w.at(pos))
	}
	return matchToken(c.here.length, c.here.dist)
}

func (c *chains) accept(pos int64, t Token) {
	ahead := c.ahead
	c.ahead = false
	if !t.isMatch() {
		switch {
		case ahead && c.there.length > c.here.length:
			c.here = c.there
		default:
			c.known = false // the next search begins without a match before it
		}
		return
	}
	c.known = false
	if length := t.length(); c.maxInsert > 0 && length > c.maxInsert {
		c.insert(pos + 1)
		c.next = max(c.next, pos+int64(length))
	}
}
