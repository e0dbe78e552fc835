package deflate

// chunks predicts encoders that take their input in chunks of 65,535 bytes and remember one or a few
// positions for each hash: level 1 of Go's compress/flate, and level 5 of klauspost/compress, which is the
// default of pgzip. Both skip ahead where they find nothing.
type chunks struct {
	w *window
	chunkRules
	short []uint32    // last position by hash of 4 bytes
	long  [][2]uint32 // last two positions by hash of 7 bytes
	memory

	first, segment, segmentEnd int64 // of what matches may reach; of the input until the next reset
	start, end                 int64 // of the chunk
	limit                      int64 // no match is looked for behind it
	s, nextS                   int64 // of the search
	emitted                    int64 // position behind the last match
	skip                       int64
	// A match is known from begin to stop; begin is the end of the chunk if it has no further one.
	found       bool
	begin, stop int64
	dist        int64
}

// chunkRules tell encoders apart.
type chunkRules struct {
	twoTables bool
	atEnd     bool  // looks for a better match at the end of a short one
	margin    int64 // of input that is not searched at the end of a chunk
	smallest  int64 // chunk that is searched
	history   int64 // how much plaintext the encoder keeps before it forgets all but 32 KiB
}

const (
	chunkSize = 65535
	prime4    = 2654435761
	prime7    = 58295818150454627
)

func goFastRules() chunkRules { return chunkRules{margin: 15, smallest: 17} }

func klauspostRules(atEnd bool) chunkRules {
	return chunkRules{twoTables: true, atEnd: atEnd, margin: 11, smallest: 13, history: 5 * chunkSize}
}

func newChunks(w *window, rules chunkRules) *chunks {
	c := &chunks{w: w, chunkRules: rules, short: make([]uint32, 1<<14)}
	if rules.twoTables {
		c.short, c.long = make([]uint32, 1<<15), make([][2]uint32, 1<<15)
	}
	return c
}

func (c *chunks) reset(first, start, end int64) {
	if c.stale(first, start, end) {
		far := nowhere(start)
		for i := range c.short {
			c.short[i] = far
		}
		for i := range c.long {
			c.long[i] = [2]uint32{far, far}
		}
	}
	c.first, c.segment, c.segmentEnd = first, start, end
	c.start, c.end = start, start
	if first < start && c.twoTables { // a dictionary is compressed, and the result is dropped
		c.begin, c.found = start, false
		c.open(first, start)
		for pos := first; pos < start; {
			t := c.predict(pos)
			c.accept(pos, t)
			pos += int64(t.length())
		}
	}
	c.start, c.end, c.found = start, start, false
}

// open begins a chunk.
func (c *chunks) open(start, end int64) {
	if c.history > 0 && end-c.first > c.history {
		c.first = start - maxDist
	}
	if !c.twoTables {
		c.first = max(c.segment, start-chunkSize)
	}
	c.start, c.end = start, end
	c.limit = end - c.margin
	c.s, c.nextS, c.emitted, c.skip = start, start, start, 32
	c.found = false
	if end-start < c.smallest {
		c.nothing()
	}
}

// nothing notes that the chunk has no further match.
func (c *chunks) nothing() { c.found, c.begin, c.stop = true, c.end, c.end }

func (c *chunks) predict(pos int64) Token {
	if pos >= c.end {
		c.open(pos, min(pos+chunkSize, c.segmentEnd))
	}
	if !c.found {
		if c.twoTables {
			c.searchTwo()
		} else {
			c.searchOne(pos)
		}
		c.found = true
	}
	if pos < c.begin {
		return Token(c.w.at(pos))
	}
	length := int(c.stop - pos)
	switch {
	case length > maxMatch+minMatch:
		length = maxMatch
	case length > maxMatch:
		length = maxMatch - minMatch
	}
	return matchToken(length, int(c.dist))
}

func (c *chunks) accept(pos int64, t Token) {
	length := int64(t.length())
	expected := pos >= c.begin && t.isMatch() && int64(t.dist()) == c.dist && pos+length <= c.stop
	switch {
	case expected && pos+length == c.stop:
		c.taken()
	case expected: // of a long one
		c.emitted = pos + length
	case t.isMatch():
		c.begin, c.stop, c.dist = pos, pos+length, int64(t.dist())
		c.s, c.nextS = pos, pos+1
		c.taken()
	case pos >= c.begin: // a literal instead of the match
		c.s, c.nextS, c.found = pos, pos+1, false
		if pos+1 > c.limit {
			c.nothing()
		}
	}
}

// taken goes on behind a match.
func (c *chunks) taken() {
	c.found = false
	c.emitted = c.stop
	if c.stop >= c.end {
		c.nothing()
		return
	}
	if c.twoTables {
		c.insertTwo()
	} else {
		c.insertOne()
	}
}

// reach returns how far a candidate is from s, 0 if a match cannot reach it.
func (c *chunks) reach(s int64, candidate uint32) int64 {
	if dist := int64(uint32(s) - candidate); dist > 0 && dist <= maxDist && s-dist >= c.first {
		return dist
	}
	return 0
}

// Go's level 1.

func goFastHash(v uint32) uint32 { return v * 0x1e35a7bd >> 18 }

// searchOne looks for the next match from where the search stopped.
func (c *chunks) searchOne(pos int64) {
	w := c.w
	nextS := c.nextS
	for {
		s := nextS
		step := c.skip >> 5
		nextS = s + step
		c.skip += step
		if nextS > c.limit {
			c.nothing()
			return
		}
		v := w.load32(s)
		h := goFastHash(v)
		candidate := c.short[h]
		c.short[h] = uint32(s)
		if dist := c.reach(s, candidate); dist > 0 && s >= pos && w.load32(s-dist) == v {
			c.s, c.nextS = s, nextS
			c.matched(s, dist)
			return
		}
	}
}

// matched notes a match of level 1, whose first 4 bytes are equal.
func (c *chunks) matched(s, dist int64) {
	n := 4 + c.w.matchLen(s+4, s+4-dist, int(min(maxMatch-4, c.end-s-4)))
	c.begin, c.stop, c.dist = s, s+int64(n), dist
}

// insertOne notes the positions around the end of a match; there may be another one right behind it.
func (c *chunks) insertOne() {
	s := c.stop
	if s >= c.limit {
		c.nothing()
		return
	}
	w := c.w
	c.short[goFastHash(w.load32(s-1))] = uint32(s - 1)
	v := w.load32(s)
	h := goFastHash(v)
	candidate := c.short[h]
	c.short[h] = uint32(s)
	c.skip = 32
	if dist := c.reach(s, candidate); dist > 0 && w.load32(s-dist) == v {
		c.found = true
		c.s, c.nextS = s, s+1
		c.matched(s, dist)
		return
	}
	c.s, c.nextS = s+1, s+1
}
