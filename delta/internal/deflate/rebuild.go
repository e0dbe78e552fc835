package deflate

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Rebuild writes the stream that a description is of, from its plaintext. It writes at most limit bytes.
// The description may be hostile: the error wraps [ErrDescription] if it is damaged or does not fit. What
// is written is verified by who knows its digest.
func Rebuild(plain, description io.Reader, e Encoder, w io.Writer, limit int64) error {
	if err := e.check(); err != nil {
		return err
	}
	in, window := newRangeDecoder(description), newWindow()
	r := &rebuilder{codec: newCodec(in, e, window, e.model(window)), in: in, plain: plain, out: newBitWriter(w, limit)}
	return r.run()
}

func (r *rebuilder) run() error {
	err := r.members()
	return cmp.Or(r.failed(), err) // what is read may be wrong because it could not be read
}

type rebuilder struct {
	*codec
	in       *rangeDecoder
	plain    io.Reader
	plainErr error
	out      *bitWriter
	lit      encoder
	dist     encoder
	cl       encoder
}

// fill reads plaintext as far as a model may look ahead, but not over the end of the member: there,
// positions and memory begin again.
func (r *rebuilder) fill(n int64) error {
	for want := min(r.pos+n+lookahead, r.end); r.w.end() < want; {
		room := r.w.room(r.pos)
		room = room[:min(int64(len(room)), r.end-r.w.end())]
		n, err := io.ReadAtLeast(r.plain, room, int(min(int64(len(room)), want-r.w.end())))
		r.w.grow(n)
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return fmt.Errorf("%w: the plaintext is shorter than it says", ErrDescription)
			}
			r.plainErr = err
			return err
		}
	}
	return nil
}

func (r *rebuilder) members() error {
	for r.c.bit(&r.more, 0) == 1 {
		if err := r.failed(); err != nil {
			return err
		}
		if r.c.bit(&r.sameHeader, 0) == 1 {
			size := codeNumber(r.c, r.count, 0)
			if size > maxGzipHeader {
				return fmt.Errorf("%w: a header has %d bytes", ErrDescription, size)
			}
			if size == 0 {
				if err := r.trailing(); err != nil {
					return err
				}
				continue
			}
			if err := r.stretch(&r.lastHeader, size); err != nil {
				return err
			}
		}
		r.out.bytes(r.lastHeader)
		size := codeNumber(r.c, r.sizes, 0)
		if size > 1<<50 {
			return fmt.Errorf("%w: a member has %d bytes", ErrDescription, size)
		}
		r.beginMember(int64(size))
		if err := r.blocks(); err != nil {
			return err
		}
		if err := r.trailer(); err != nil {
			return err
		}
	}
	r.out.flush()
	return r.failed()
}

func (r *rebuilder) trailing() error {
	size := codeNumber(r.c, r.count, 0)
	if size == 0 || size > maxTrailing { // any number of these would take a few bits
		return fmt.Errorf("%w: %d bytes follow the end", ErrDescription, size)
	}
	var p []byte
	if err := r.stretch(&p, size); err != nil {
		return err
	}
	r.out.bytes(p)
	return r.failed()
}

// stretch reads bytes into p. It ends where the description does: a damaged one may name many bytes that it does not have.
func (r *rebuilder) stretch(p *[]byte, size uint64) error {
	*p = (*p)[:0]
	var buf [256]byte
	for n := uint64(len(buf)); size > 0; size -= n {
		n = min(n, size)
		r.raw(buf[:n])
		if err := r.failed(); err != nil {
			return err
		}
		*p = append(*p, buf[:n]...)
	}
	return nil
}

// failed returns the first error of what is read and written.
func (r *rebuilder) failed() error {
	return cmp.Or(r.in.err, r.plainErr, r.out.err)
}

func (r *rebuilder) blocks() error {
	for {
		final, kind := r.block(false, 0)
		r.out.put(bit(final)|uint32(kind)<<1, 3)
		var err error
		switch kind {
		case 0:
			err = r.storedBlock()
		case 1:
			lit, dist := fixedLengths()
			r.lit.init(lit)
			r.dist.init(dist)
			err = r.blockTokens()
		case 2:
			h := header{lits: 257, dists: 1, cls: 4}
			if err = r.header(&h, true); err != nil {
				break
			}
			r.lit.init(h.lengths[:h.lits])
			r.dist.init(h.lengths[h.lits : h.lits+h.dists])
			h.write(r.out, &r.cl)
			err = r.blockTokens()
		default:
			err = fmt.Errorf("%w: a block has type 3", ErrDescription)
		}
		if err == nil {
			err = r.failed()
		}
		if err != nil {
			return err
		}
		if final {
			break
		}
	}
	if r.pos != r.end {
		return fmt.Errorf("%w: a member ends early", ErrDescription)
	}
	return nil
}

func (r *rebuilder) storedBlock() error {
	pad := codeNumber(r.c, r.padding, 0)
	n := r.out.padding()
	if pad>>n != 0 {
		return fmt.Errorf("%w: the padding of a block", ErrDescription)
	}
	r.out.put(uint32(pad), n)
	size := codeNumber(r.c, r.stored, 0)
	if size > 65535 || int64(size) > r.end-r.pos {
		return fmt.Errorf("%w: a stored block has %d bytes", ErrDescription, size)
	}
	r.out.put(uint32(size), 16)
	r.out.put(^uint32(size)&0xffff, 16)
	if err := r.fill(int64(size)); err != nil {
		return err
	}
	r.out.bytes(r.w.buf[r.pos-r.w.base:][:size])
	r.pass(int64(size))
	return nil
}

func (r *rebuilder) blockTokens() error {
	for {
		if r.pos+lookahead > r.w.end() && r.w.end() < r.end {
			if err := r.fill(lookahead); err != nil {
				return err
			}
		}
		if r.pos == r.end {
			break
		}
		t, end := r.token(0, false)
		if end {
			break
		}
		if r.impossible {
			return fmt.Errorf("%w: a match of %d bytes, %d bytes before", ErrDescription, t.code(), t.dist())
		}
		if err := r.put(t); err != nil {
			return err
		}
		r.advance(t.length())
	}
	r.lastBlock = r.inBlock
	if r.lit.length[endOfBlock] == 0 {
		return fmt.Errorf("%w: a block has no code for its end", ErrDescription)
	}
	r.out.put(uint32(r.lit.code[endOfBlock]), uint(r.lit.length[endOfBlock]))
	return nil
}

func (r *rebuilder) put(t Token) error {
	if !t.isMatch() {
		n := uint(r.lit.length[t])
		if n == 0 {
			return fmt.Errorf("%w: a literal has no code", ErrDescription)
		}
		r.out.put(uint32(r.lit.code[t]), n)
		return nil
	}
	code := t.code()
	slot, extra := int(lengthSlot[t.length()]), uint32(0)
	if code == altLength {
		slot, extra = 27, 31
	} else {
		extra = uint32(code) - uint32(lengthBase[slot])
	}
	distance := distSlot(t.dist())
	if r.lit.length[257+slot] == 0 || r.dist.length[distance] == 0 {
		return fmt.Errorf("%w: a match has no code", ErrDescription)
	}
	r.out.put(uint32(r.lit.code[257+slot])|extra<<r.lit.length[257+slot], uint(r.lit.length[257+slot]+lengthExtra[slot]))
	r.out.put(uint32(r.dist.code[distance])|uint32(t.dist()-int(distBase[distance]))<<r.dist.length[distance], uint(r.dist.length[distance]+distExtra[distance]))
	return r.out.err
}

func (r *rebuilder) trailer() error {
	r.sum()
	trailer := make([]byte, 8)
	binary.LittleEndian.PutUint32(trailer, r.crc)
	binary.LittleEndian.PutUint32(trailer[4:], uint32(r.end-r.start))
	pad := uint64(0)
	if r.c.bit(&r.plainTrailer, 0) == 1 {
		pad = codeNumber(r.c, r.padding, 0)
		r.raw(trailer)
	}
	n := r.out.padding()
	if pad>>n != 0 {
		return fmt.Errorf("%w: the padding of the end", ErrDescription)
	}
	r.out.put(uint32(pad), n)
	r.out.bytes(trailer)
	return r.failed()
}
