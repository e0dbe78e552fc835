package deflate

import (
	"bufio"
	"fmt"
	"io"
)

// A range coder with adaptive binary probabilities codes what the model did not predict: a decision that is
// always the same costs a few thousandths of a bit.

// prob is the probability of a 0, of 1<<16, moved by two speeds.
type prob struct{ fast, slow uint16 }

const (
	half      = 1 << 15
	fastSpeed = 4
	slowSpeed = 8
	top       = 1 << 24
)

func newProb() prob { return prob{half, half} }

func newProbs(n int) []prob {
	p := make([]prob, n)
	for i := range p {
		p[i] = newProb()
	}
	return p
}

// p is at least 32 of 65,536 from both ends.
func (p *prob) p() uint32 {
	v := (uint32(p.fast) + uint32(p.slow)) >> 1
	return min(max(v, 32), 1<<16-32)
}

func (p *prob) update(bit uint32) {
	if bit == 0 {
		p.fast += (65535 - p.fast) >> fastSpeed
		p.slow += (65535 - p.slow) >> slowSpeed
	} else {
		p.fast -= p.fast >> fastSpeed
		p.slow -= p.slow >> slowSpeed
	}
}

// rangeEncoder writes decisions.
type rangeEncoder struct {
	w       io.Writer
	buf     []byte
	low     uint64
	width   uint32
	cache   byte
	pending int64
	started bool
	written int64
	err     error
}

func newRangeEncoder(w io.Writer) *rangeEncoder {
	return &rangeEncoder{w: w, width: 1<<32 - 1, buf: make([]byte, 0, 16<<10)}
}

func (e *rangeEncoder) bit(p *prob, bit uint32) uint32 {
	bound := (e.width >> 16) * p.p()
	if bit == 0 {
		e.width = bound
	} else {
		e.low += uint64(bound)
		e.width -= bound
	}
	p.update(bit)
	for e.width < top {
		e.width <<= 8
		e.shift()
	}
	return bit
}

func (e *rangeEncoder) shift() {
	if uint32(e.low) < 0xff000000 || e.low>>32 != 0 {
		carry := byte(e.low >> 32)
		if e.started {
			e.out(e.cache + carry)
		}
		for ; e.pending > 0; e.pending-- {
			e.out(0xff + carry)
		}
		e.started = true
		e.cache = byte(e.low >> 24)
	} else {
		e.pending++
	}
	e.low = e.low << 8 & 0xffffffff
}

func (e *rangeEncoder) out(b byte) {
	e.buf = append(e.buf, b)
	e.written++
	if len(e.buf) == cap(e.buf) {
		e.write()
	}
}

func (e *rangeEncoder) write() {
	if e.err == nil {
		_, e.err = e.w.Write(e.buf)
	}
	e.buf = e.buf[:0]
}

// close writes what is left.
func (e *rangeEncoder) close() error {
	for range 5 {
		e.shift()
	}
	e.write()
	return e.err
}

// rangeDecoder reads decisions.
type rangeDecoder struct {
	r           *bufio.Reader
	code, width uint32
	err         error
	behind      int // bytes that were asked for behind the end
}

func newRangeDecoder(r io.Reader) *rangeDecoder {
	d := &rangeDecoder{r: bufio.NewReaderSize(r, 16<<10), width: 1<<32 - 1}
	for range 4 {
		d.code = d.code<<8 | uint32(d.next())
	}
	return d
}

func (d *rangeDecoder) next() byte {
	b, err := d.r.ReadByte()
	if err != nil {
		d.behind++
		if err != io.EOF {
			d.err = err
		} else if d.behind > 8 && d.err == nil {
			d.err = fmt.Errorf("%w: it ends early: %w", ErrDescription, io.ErrUnexpectedEOF)
		}
	}
	return b
}

func (d *rangeDecoder) bit(p *prob, _ uint32) uint32 {
	bound := (d.width >> 16) * p.p()
	var bit uint32
	if d.code < bound {
		d.width = bound
	} else {
		d.code -= bound
		d.width -= bound
		bit = 1
	}
	p.update(bit)
	for d.width < top {
		d.width <<= 8
		d.code = d.code<<8 | uint32(d.next())
	}
	return bit
}

// coder is a range coder in either direction: it codes the value that it is given, or returns the one that
// was coded. So the two directions cannot drift apart.
type coder interface {
	bit(p *prob, bit uint32) uint32
}

// bits codes a value of n bits, highest first, by a tree of 1<<n probabilities.
func codeTree(c coder, tree []prob, n uint, v uint32) uint32 {
	node := uint32(1)
	for i := int(n) - 1; i >= 0; i-- {
		node = node<<1 | c.bit(&tree[node], v>>uint(i)&1)
	}
	return node - 1<<n
}

// codeNumber codes a number by its bit length and the bits below the highest one, of which the highest
// three adapt.
func codeNumber(c coder, m *numberModel, v uint64) uint64 {
	length := uint32(0)
	for x := v; x > 0; x >>= 1 {
		length++
	}
	if length = codeTree(c, m.length[:], 6, length); length <= 1 {
		return uint64(length)
	}
	result := uint64(1)
	for i := int(length) - 2; i >= 0; i-- {
		p := newProb()
		at := &p
		if depth := int(length) - 2 - i; depth < 3 {
			at = &m.bits[length&63][depth<<3|int(result&(1<<uint(depth)-1))]
		}
		result = result<<1 | uint64(c.bit(at, uint32(v>>uint(i))&1))
	}
	return result
}

// numberModel is what codeNumber adapts.
type numberModel struct {
	length [64]prob
	bits   [64][32]prob
}

func newNumberModel() *numberModel {
	m := &numberModel{}
	for i := range m.length {
		m.length[i] = newProb()
		for j := range m.bits[i] {
			m.bits[i][j] = newProb()
		}
	}
	return m
}
