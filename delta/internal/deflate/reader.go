package deflate

import (
	"fmt"
	"io"
)

// kind is what an event reports.
type kind uint8

const (
	kindMember   kind = iota // raw: the gzip header
	kindBlock                // final, block; header if dynamic; value: padding of a stored block
	kindTokens               // tokens and their plaintext
	kindStored               // plaintext of a stored block, all of it
	kindEnd                  // end of a block of tokens
	kindTrailer              // raw: CRC-32 and size as they are in the stream; value: padding before them
	kindTrailing             // raw: bytes after the last member
)

// event is the next piece of a stream.
type event struct {
	kind   kind
	final  bool
	block  uint8 // 0 stored, 1 fixed, 2 dynamic
	value  uint32
	header header
	tokens []Token
	plain  []byte
	raw    []byte
}

// header is that of a dynamic block.
type header struct {
	lits, dists, cls int // how many lengths there are
	cl               [19]uint8
	// symbols are those of the code lengths, with the extra bits of repetitions in bits 8 and up.
	symbols []uint16
	lengths [litCodes + distCodes]uint8
}

const (
	batch = 4096
	// maxGzipHeader bounds extra fields, name and comment of a member, in bytes.
	maxGzipHeader = 256 << 10
	// maxTrailing bounds what follows the last member, in bytes.
	maxTrailing = 1 << 20
)

// reader takes a stream apart.
type reader struct {
	b         *bitReader
	lit, dist decoder
	window    []byte // the last 32 KiB and the current batch
	start     int    // of the batch in the window
	state     kind
	final     bool
	block     uint8
	members   int
	memberAt  int64 // plaintext of this member so far
	tokens    []Token
	parser    headerParser
}

func newReader(r io.Reader) *reader {
	return &reader{b: newBitReader(r), window: make([]byte, 0, 2*maxDist+batch*maxMatch), state: kindMember, tokens: make([]Token, 0, batch)}
}

// next returns the next event, whose slices are valid until the next call, or io.EOF.
func (r *reader) next() (event, error) {
	var e event
	var err error
	switch r.state {
	case kindMember:
		e, err = r.member()
	case kindBlock:
		e, err = r.blockHeader()
	case kindTokens:
		e, err = r.readTokens()
	case kindStored:
		e, err = r.stored()
	case kindEnd:
		e = event{kind: kindEnd}
		r.endBlock()
	case kindTrailer:
		e, err = r.trailer()
	default:
		return e, io.EOF
	}
	if err == nil {
		err = r.b.check()
	}
	return e, err
}

func (r *reader) member() (event, error) {
	if r.members > 0 {
		if r.b.atEnd() {
			r.state = kindTrailing
			if err := r.b.err; err != nil && err != io.EOF {
				return event{}, err
			}
			return event{}, io.EOF
		}
		if r.b.peek(16) != 0x8b1f {
			return r.trailing()
		}
	}
	r.members++
	r.memberAt = 0
	r.window = r.window[:0]
	raw := make([]byte, 10)
	if err := r.b.readFull(raw); err != nil {
		return event{}, err
	}
	if raw[0] != 0x1f || raw[1] != 0x8b || raw[2] != 8 || raw[3]&0xe0 != 0 {
		return event{}, fmt.Errorf("%w: it does not begin with a gzip header", ErrFormat)
	}
	take := func(n int) error {
		if len(raw)+n > maxGzipHeader {
			return fmt.Errorf("%w: the gzip header has more than %d bytes", ErrFormat, maxGzipHeader)
		}
		raw = append(raw, make([]byte, n)...)
		return r.b.readFull(raw[len(raw)-n:])
	}
	if raw[3]&4 != 0 { // FEXTRA
		if err := take(2); err != nil {
			return event{}, err
		}
		if err := take(int(raw[10]) | int(raw[11])<<8); err != nil {
			return event{}, err
		}
	}
	for _, flag := range []byte{8, 16} { // FNAME, FCOMMENT
		for raw[3]&flag != 0 {
			if err := take(1); err != nil {
				return event{}, err
			}
			if raw[len(raw)-1] == 0 {
				break
			}
		}
	}
	if raw[3]&2 != 0 { // FHCRC
		if err := take(2); err != nil {
			return event{}, err
		}
	}
	r.state = kindBlock
	return event{kind: kindMember, raw: raw}, nil
}

func (r *reader) blockHeader() (event, error) {
	e := event{kind: kindBlock}
	r.final = r.b.take(1) == 1
	r.block = uint8(r.b.take(2))
	e.final, e.block = r.final, r.block
	switch r.block {
	case 0:
		pad := r.b.n & 7
		e.value = r.b.take(pad)
		r.state = kindStored
	case 1:
		lit, dist := fixedLengths()
		if err := r.codes(lit, dist); err != nil {
			return e, err
		}
		r.state = kindTokens
	case 2:
		if err := r.parser.parse(r.b, &e.header); err != nil {
			return e, err
		}
		h := &e.header
		if err := r.codes(h.lengths[:h.lits], h.lengths[h.lits:h.lits+h.dists]); err != nil {
			return e, err
		}
		r.state = kindTokens
	default:
		return e, fmt.Errorf("%w: a block has type 3", ErrFormat)
	}
	return e, nil
}

func (r *reader) codes(lit, dist []uint8) error {
	if lit[endOfBlock] == 0 {
		return fmt.Errorf("%w: a block has no code for its end", ErrFormat)
	}
	if err := r.lit.init(lit, false); err != nil {
		return err
	}
	return r.dist.init(dist, true)
}

// makeRoom forgets what is further away than a match can reach.
func (r *reader) makeRoom(n int) {
	if len(r.window)+n > cap(r.window) {
		keep := min(len(r.window), maxDist)
		copy(r.window[:keep], r.window[len(r.window)-keep:])
		r.window = r.window[:keep]
	}
	r.start = len(r.window)
}

func (r *reader) readTokens() (event, error) {
	r.makeRoom(batch * maxMatch / 8)
	window, tokens := r.window, r.tokens[:0]
	limit := r.start + batch*maxMatch/8 - maxMatch
	for len(tokens) < batch && len(window) < limit {
		s := r.b.symbol(&r.lit)
		switch {
		case s < 0:
			return event{}, fmt.Errorf("%w: a code is unknown", ErrFormat)
		case s < endOfBlock:
			tokens = append(tokens, Token(s))
			window = append(window, byte(s))
			continue
		case s == endOfBlock:
			r.state = kindEnd
			return r.tokensEvent(tokens, window), r.b.check()
		case s > 285:
			return event{}, fmt.Errorf("%w: a length is unknown", ErrFormat)
		}
		length := int(lengthBase[s-257]) + int(r.b.take(uint(lengthExtra[s-257])))
		code := length
		if length == maxMatch && s != 285 {
			code = altLength
		}
		d := r.b.symbol(&r.dist)
		if d < 0 || d > 29 {
			return event{}, fmt.Errorf("%w: a distance is unknown", ErrFormat)
		}
		dist := int(distBase[d]) + int(r.b.take(uint(distExtra[d])))
		if dist > len(window) || int64(dist) > r.memberAt+int64(len(window)-r.start) {
			return event{}, fmt.Errorf("%w: a distance leads before the beginning", ErrFormat)
		}
		tokens = append(tokens, matchToken(code, dist))
		from := len(window) - dist
		if dist >= length {
			window = append(window, window[from:from+length]...)
		} else {
			for i := range length {
				window = append(window, window[from+i])
			}
		}
		if r.b.underflows {
			return event{}, r.b.check()
		}
	}
	return r.tokensEvent(tokens, window), r.b.check()
}

func (r *reader) tokensEvent(tokens []Token, window []byte) event {
	r.tokens, r.window = tokens, window
	plain := r.window[r.start:]
	r.memberAt += int64(len(plain))
	return event{kind: kindTokens, tokens: r.tokens, plain: plain}
}

func (r *reader) stored() (event, error) {
	size := r.b.take(16)
	if size != ^r.b.take(16)&0xffff {
		return event{}, fmt.Errorf("%w: the size of a stored block is damaged", ErrFormat)
	}
	r.makeRoom(1 << 16)
	r.window = r.window[:r.start+int(size)]
	plain := r.window[r.start:]
	if err := r.b.readFull(plain); err != nil {
		return event{}, err
	}
	r.memberAt += int64(size)
	r.endBlock()
	return event{kind: kindStored, plain: plain}, nil
}

func (r *reader) endBlock() {
	r.state = kindBlock
	if r.final {
		r.state = kindTrailer
	}
}

func (r *reader) trailer() (event, error) {
	e := event{kind: kindTrailer, raw: make([]byte, 8)}
	e.value = r.b.take(r.b.n & 7)
	r.state = kindMember
	return e, r.b.readFull(e.raw)
}

func (r *reader) trailing() (event, error) {
	e := event{kind: kindTrailing}
	for !r.b.atEnd() {
		if len(e.raw) == maxTrailing {
			return e, fmt.Errorf("%w: more than %d bytes follow its end", ErrFormat, maxTrailing)
		}
		e.raw = append(e.raw, byte(r.b.take(8)))
	}
	r.state = kindTrailing
	return e, nil
}
