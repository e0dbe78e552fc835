package deflate

// Level 5 of klauspost/compress: a table by 4 bytes, and one by 7 bytes with two positions.

func shortHash(v uint64) uint32 { return uint32(v) * prime4 >> 17 }

func longHash(v uint64) uint32 { return uint32((v << 8) * prime7 >> 49) }

func (c *chunks) noteLong(h uint32, pos int64) {
	e := &c.long[h]
	e[0], e[1] = uint32(pos), e[0]
}

// candidate returns the distance of a candidate whose 4 bytes are equal, 0 if they are not.
func (c *chunks) candidate(s int64, candidate uint32, v uint64) int64 {
	if dist := c.reach(s, candidate); dist > 0 && dist < maxDist && c.w.load32(s-dist) == uint32(v) {
		return dist
	}
	return 0
}

// length returns how long the match is, in bytes: at most limit, and to the end of the chunk.
func (c *chunks) length(s, dist int64, limit int64) int64 {
	return 4 + int64(c.w.matchLen(s+4, s+4-dist, int(min(limit-4, c.end-s-4))))
}

// searchTwo looks for the next match from where the search stopped.
func (c *chunks) searchTwo() {
	w := c.w
	var s, length, dist int64
	nextS := c.nextS
	for dist == 0 {
		s = nextS
		nextS = s + 1 + (s-c.emitted)>>6
		if nextS > c.limit {
			c.nothing()
			return
		}
		v, next := w.load64(s), w.load64(nextS)
		hs, hl := shortHash(v), longHash(v)
		short, long := c.short[hs], c.long[hl]
		c.short[hs] = uint32(s)
		c.noteLong(hl, s)
		hs, hl = shortHash(next), longHash(next)
		if dist = c.candidate(s, long[0], v); dist > 0 {
			c.short[hs] = uint32(nextS)
			c.noteLong(hl, nextS)
			if other := c.candidate(s, long[1], v); other > 0 {
				length = c.length(s, dist, maxMatch)
				if l := c.length(s, other, maxMatch); l > length {
					length, dist = l, other
				}
			}
			break
		}
		// The second one counts only where the first one is in reach.
		if c.reach(s, long[0]) > 0 {
			if dist = c.candidate(s, long[1], v); dist > 0 {
				c.short[hs] = uint32(nextS)
				c.noteLong(hl, nextS)
				break
			}
		}
		if dist = c.candidate(s, short, v); dist > 0 {
			length = c.length(s, dist, maxMatch)
			long = c.long[hl]
			c.short[hs] = uint32(nextS)
			c.noteLong(hl, nextS)
			if c.reach(nextS, long[0]) == 0 {
				break
			}
			for _, candidate := range long {
				if other := c.candidate(nextS, candidate, next); other > 0 {
					if l := c.length(nextS, other, maxMatch); l > length {
						s, length, dist = nextS, l, other
						break
					}
				}
			}
		}
	}
	switch {
	case length == 0:
		length = c.length(s, dist, c.end-s)
	case length == maxMatch:
		length += int64(w.matchLen(s+length, s+length-dist, int(c.end-s-length)))
	}
	if c.atEnd && length < 30 && s+length < c.limit {
		s, length, dist = c.better(s, length, dist)
	}
	for s-dist > c.first && s > c.emitted && w.at(s-dist-1) == w.at(s-1) {
		s--
		length++
	}
	c.s, c.nextS = s, nextS
	c.begin, c.stop, c.dist = s, s+length, dist
}

// better looks for a match that ends further behind, by what is remembered for the end of the one at s.
func (c *chunks) better(s, length, dist int64) (int64, int64, int64) {
	end := c.long[longHash(c.w.load64(s+length))][0]
	const skipped = 2 // may differ at the beginning
	other := int64(uint32(s+length) - end)
	from := s + skipped
	if other > 0 && other < maxDist && from-other >= c.first {
		if l := int64(c.w.matchLen(from, from-other, int(c.end-from))); l > length {
			return from, l, other
		}
	}
	return s, length, dist
}

// insertTwo notes positions inside of a match and around its end.
func (c *chunks) insertTwo() {
	w := c.w
	s := c.stop
	length := c.stop - c.begin
	if c.nextS >= s {
		s = c.nextS + 1
	}
	if s >= c.limit {
		c.nothing()
		return
	}
	if i := s - length + 1; i < s-1 {
		v := w.load64(i)
		c.short[shortHash(v)] = uint32(i)
		c.noteLong(longHash(v), i)
		v >>= 8 // a short match has no more bytes in the word that is read
		c.noteLong(longHash(v), i+1)
		v >>= 8
		c.short[shortHash(v)] = uint32(i + 2)
		for i += 4; i < s-1; i += 3 {
			v := w.load64(i)
			c.noteLong(longHash(v), i)
			c.short[shortHash(v>>8)] = uint32(i + 1)
		}
	}
	v := w.load64(s - 1)
	c.short[shortHash(v)] = uint32(s - 1)
	c.noteLong(longHash(v), s-1)
	c.s, c.nextS = s, s
}
