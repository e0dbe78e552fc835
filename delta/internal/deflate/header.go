package deflate

import "fmt"

// bitSource is where a header comes from: the stream, or a description.
type bitSource interface{ take(n uint) uint32 }

// headerParser reads the headers of dynamic blocks.
type headerParser struct{ cl decoder }

// parse reads the header of a dynamic block, after its type.
func (p *headerParser) parse(b *bitReader, h *header) error {
	h.counts(b)
	if err := h.check(); err != nil {
		return err
	}
	for i := range h.cls {
		h.cl[clOrder[i]] = uint8(b.take(3))
	}
	if err := p.cl.init(h.cl[:], false); err != nil {
		return err
	}
	h.symbols = h.symbols[:0]
	for n := 0; n < h.lits+h.dists; {
		s := b.symbol(&p.cl)
		if s < 0 || b.underflows {
			if err := b.check(); err != nil {
				return err
			}
			return fmt.Errorf("%w: a code length is unknown", ErrFormat)
		}
		symbol := uint16(s)
		if s >= 16 {
			symbol |= uint16(b.take(repeatBits[s-16])) << 8
		}
		var err error
		if n, err = h.add(n, symbol); err != nil {
			return err
		}
	}
	return b.check()
}

// repeatBits are the extra bits of the symbols 16, 17 and 18.
var repeatBits = [3]uint{2, 3, 7}

func (h *header) counts(b bitSource) {
	h.lits, h.dists, h.cls = int(b.take(5))+257, int(b.take(5))+1, int(b.take(4))+4
}

func (h *header) check() error {
	if h.lits > 286 || h.dists > 30 {
		return fmt.Errorf("%w: a block has %d and %d codes", ErrFormat, h.lits, h.dists)
	}
	return nil
}

// add appends the lengths that a symbol stands for, at n, and returns how many there are.
func (h *header) add(n int, symbol uint16) (int, error) {
	h.symbols = append(h.symbols, symbol)
	s, extra := symbol&255, int(symbol>>8)
	length, times := uint8(0), 1
	switch {
	case s < 16:
		length = uint8(s)
	case s == 16:
		if n == 0 {
			return 0, fmt.Errorf("%w: the first code length is a repetition", ErrFormat)
		}
		length, times = h.lengths[n-1], 3+extra
	case s == 17:
		times = 3 + extra
	default:
		times = 11 + extra
	}
	if n+times > h.lits+h.dists {
		return 0, fmt.Errorf("%w: there are too many code lengths", ErrFormat)
	}
	for range times {
		h.lengths[n] = length
		n++
	}
	return n, nil
}

// write writes the header, after the type of the block.
func (h *header) write(b *bitWriter, cl *encoder) {
	b.put(uint32(h.lits-257), 5)
	b.put(uint32(h.dists-1), 5)
	b.put(uint32(h.cls-4), 4)
	for i := range h.cls {
		b.put(uint32(h.cl[clOrder[i]]), 3)
	}
	cl.init(h.cl[:])
	for _, symbol := range h.symbols {
		s := symbol & 255
		b.put(uint32(cl.code[s]), uint(cl.length[s]))
		if s >= 16 {
			b.put(uint32(symbol>>8), repeatBits[s-16])
		}
	}
}
