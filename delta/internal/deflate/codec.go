package deflate

import (
	"hash/crc32"
)

// codec is what both directions of the coding have in common.
type codec struct {
	c       coder
	encoder Encoder
	chunked bool // the encoder's blocks end where chunks of its input do
	w       *window
	model   model
	pos     int64 // in the plaintext of the stream
	start   int64 // of the member
	end     int64 // of the member
	reset   int64 // next position where the model is reset
	crc     uint32
	summed  int64 // position up to which crc is

	normals    uint32 // whether the last tokens were as predicted, newest lowest
	inBlock    int64  // tokens in this block so far
	lastBlock  int64  // and in the one before
	misses     int64
	impossible bool // a token of a damaged description
	lastKind   uint32
	lastHeader []byte
	lastLens   [litCodes + distCodes]uint8

	more, sameHeader, plainTrailer  prob
	final, padded                   prob
	kinds                           []prob
	normal, isEnd, match, same      []prob
	length, slot                    []prob
	distLow                         []prob
	bytes                           []prob
	hlit, hdist, hclen, cl, symbols []prob
	extra                           [3][]prob
	sizes, stored, count, padding   *numberModel
}

func newCodec(c coder, e Encoder, w *window, m model) *codec {
	return &codec{
		c: c, encoder: e, chunked: e.inChunks(), w: w, model: m,
		more: newProb(), sameHeader: newProb(), plainTrailer: newProb(), final: newProb(), padded: newProb(),
		kinds: newProbs(4 * 4), normal: newProbs(1 << 7), isEnd: newProbs(2), match: newProbs(4), same: newProbs(4),
		length: newProbs(1 << 9), slot: newProbs(1 << 5), distLow: newProbs(32 * 16), bytes: newProbs(1 << 8),
		hlit: newProbs(32), hdist: newProbs(32), hclen: newProbs(16), cl: newProbs(19 * 8), symbols: newProbs(32 * 16 * 3),
		extra: [3][]prob{newProbs(4), newProbs(8), newProbs(128)},
		sizes: newNumberModel(), stored: newNumberModel(), count: newNumberModel(), padding: newNumberModel(),
	}
}

func bit(v bool) uint32 {
	if v {
		return 1
	}
	return 0
}

// beginMember begins a member of so many bytes of plaintext.
func (c *codec) beginMember(size int64) {
	c.start, c.end, c.reset, c.crc = c.pos, c.pos+size, c.pos, 0
	c.summed = c.pos
}

// segment resets the model at the beginning of a segment.
func (c *codec) segment() {
	if c.pos != c.reset {
		return
	}
	first, end := c.pos, c.end
	if c.encoder.Segment > 0 {
		first = max(c.start, c.pos-c.encoder.Dictionary)
		end = min(c.end, c.pos+c.encoder.Segment)
	}
	c.model.reset(first, c.pos, end)
	c.reset = end
	if end == c.end {
		c.reset = -1
	}
}

// advance moves over plaintext that is in the window. A token that goes over the end of a segment moves
// the next reset.
func (c *codec) advance(n int) {
	c.pos += int64(n)
	if c.pos-c.summed >= 4<<10 {
		c.sum()
	}
	if c.reset >= 0 && c.pos > c.reset {
		c.reset = c.pos
	}
}

// sum adds the plaintext up to here to the checksum. The window still has it.
func (c *codec) sum() {
	c.crc = crc32.Update(c.crc, crc32.IEEETable, c.w.buf[c.summed-c.w.base:c.pos-c.w.base])
	c.summed = c.pos
}

// blockEndExpected reports whether the encoder would probably end a block here.
func (c *codec) blockEndExpected() bool {
	if c.chunked {
		from := c.start
		if c.encoder.Segment > 0 {
			from += (c.pos - c.start) / c.encoder.Segment * c.encoder.Segment
		}
		return c.inBlock > 0 && ((c.pos-from)%chunkSize == 0 || c.pos == c.reset)
	}
	return c.inBlock == c.lastBlock && c.inBlock > 0 || c.pos == c.reset
}

// token codes the token at pos, or the end of the block.
func (c *codec) token(actual Token, end bool) (Token, bool) {
	c.segment()
	expectEnd := c.blockEndExpected()
	predicted := c.model.predict(c.pos)
	context := bit(predicted.isMatch()) | bit(expectEnd)<<1 | c.normals&31<<2
	if c.c.bit(&c.normal[context], bit(end || actual != predicted)) == 0 {
		actual = predicted
		c.normals <<= 1
	} else {
		if c.c.bit(&c.isEnd[bit(expectEnd)], bit(end)) == 1 {
			return 0, true
		}
		c.normals = c.normals<<1 | 1
		c.misses++
		actual = c.missed(predicted, actual)
		if c.cannotBe(actual) {
			c.impossible = true
			return actual, false
		}
	}
	c.model.accept(c.pos, actual)
	c.inBlock++
	return actual, false
}

// cannotBe reports whether a token, of a damaged description, is neither a literal nor a match within the
// member.
func (c *codec) cannotBe(t Token) bool {
	if !t.isMatch() {
		return t >= endOfBlock // a match without a length
	}
	return t.code() < minMatch || t.code() > altLength || int64(t.length()) > c.end-c.pos || int64(t.dist()) > c.pos-c.start
}

// missed codes a token that is not the predicted one.
func (c *codec) missed(predicted, actual Token) Token {
	is := bit(predicted.isMatch())
	if c.c.bit(&c.match[is], bit(actual.isMatch())) == 0 {
		return Token(c.w.at(c.pos))
	}
	length, dist := actual.code(), 1
	if actual.isMatch() {
		dist = actual.dist()
	}
	if is == 1 {
		if c.c.bit(&c.same[0], bit(length != predicted.code())) == 0 {
			length = predicted.code()
		} else {
			length = int(codeTree(c.c, c.length, 9, uint32(length)))
		}
		if c.c.bit(&c.same[1+bit(length != predicted.code())], bit(dist != predicted.dist())) == 0 {
			return matchToken(length, predicted.dist())
		}
	} else {
		length = int(codeTree(c.c, c.length, 9, uint32(length)))
	}
	slot := codeTree(c.c, c.slot, 5, uint32(distSlot(dist)))
	if slot > 29 {
		return matchToken(0, 1) | altLength<<17 // of a damaged description
	}
	low := dist - int(distBase[slot])
	value := 0
	for i := int(distExtra[slot]) - 1; i >= 0; i-- {
		p := newProb()
		at := &p
		if i >= int(distExtra[slot])-2 {
			at = &c.distLow[int(slot)<<4|i]
		}
		value = value<<1 | int(c.c.bit(at, uint32(low>>i)&1))
	}
	return matchToken(length, int(distBase[slot])+value)
}

// pass has the model go over plaintext of a stored block, as if its own tokens had been written.
func (c *codec) pass(n int64) {
	for end := c.pos + n; c.pos < end; {
		c.segment()
		t := c.model.predict(c.pos)
		step := min(int64(t.length()), end-c.pos)
		if c.reset >= 0 {
			step = min(step, c.reset-c.pos)
		}
		c.model.accept(c.pos, t)
		c.advance(int(step))
	}
}

// block codes the beginning of a block.
func (c *codec) block(final bool, kind uint8) (bool, uint8) {
	final = c.c.bit(&c.final, bit(final)) == 1
	kind = uint8(codeTree(c.c, c.kinds[c.lastKind*4:], 2, uint32(kind)))
	c.lastKind = uint32(kind & 3)
	c.inBlock = 0
	return final, kind
}

// header codes the header of a dynamic block.
func (c *codec) header(h *header, read bool) error {
	h.lits = int(codeTree(c.c, c.hlit, 5, uint32(h.lits-257))) + 257
	h.dists = int(codeTree(c.c, c.hdist, 5, uint32(h.dists-1))) + 1
	h.cls = int(codeTree(c.c, c.hclen, 4, uint32(h.cls-4))) + 4
	if err := h.check(); err != nil {
		return err
	}
	for i := range h.cls {
		s := clOrder[i]
		h.cl[s] = uint8(codeTree(c.c, c.cl[int(s)*8:], 3, uint32(h.cl[s])))
	}
	known := h.symbols
	if read {
		h.symbols = nil
	}
	rebuilt := header{lits: h.lits, dists: h.dists}
	for n, i := 0, 0; n < h.lits+h.dists; i++ {
		var symbol uint16
		if !read {
			symbol = known[i]
		}
		context := int(c.lastLens[n]) * 3
		switch {
		case n == 0:
		case rebuilt.lengths[n-1] == 0:
			context++
		case rebuilt.lengths[n-1] == c.lastLens[n-1]:
			context += 2
		}
		s := codeTree(c.c, c.symbols[context*32:], 5, uint32(symbol&255))
		symbol = uint16(s) | symbol&^255
		if s >= 16 && s <= 18 {
			symbol = uint16(s) | uint16(codeTree(c.c, c.extra[s-16], repeatBits[s-16], uint32(symbol>>8)))<<8
		} else if s > 18 {
			return ErrDescription
		}
		var err error
		if n, err = rebuilt.add(n, symbol); err != nil {
			return err
		}
	}
	h.symbols, h.lengths = rebuilt.symbols, rebuilt.lengths
	c.lastLens = h.lengths
	return nil
}

// raw codes bytes.
func (c *codec) raw(p []byte) {
	for i := range p {
		p[i] = byte(codeTree(c.c, c.bytes, 8, uint32(p[i])))
	}
}
