package delta

import (
	"bufio"
	"context"
	"errors"
	"hash/maphash"
	"io"
)

// differ writes a patch: the plaintext of a layer in copies from its bases, and what they do not have.
type differ struct {
	w     *Workspace
	bases []*Plaintext
	out   *segmentWriter
	index map[uint64]place
	names map[string]place // where the content of a file begins

	target  *Plaintext
	copying span // that is not written yet
	literal []byte
	// guess is where the plaintext continues in a base, if it has changed only a little.
	guess place
	known bool
	used  []bool
	buf   []byte
}

// place is a position in a base.
type place struct {
	base int32
	at   int64
}

const (
	// slack is how far around the place that literals are expected to resemble a dictionary reaches, in bytes.
	slack = 64 << 10
	// wide is the same for literals without an end.
	wide = 512 << 10
	// minCopy is the smallest copy: a shorter one costs more than its bytes.
	minCopy = 24
	// minBack is how much is compared backwards at once.
	minBack = 4 << 10
)

// diff writes the patch and returns which bases it uses.
func (w *Workspace) diff(ctx context.Context, target *Plaintext, bases []*Plaintext, out io.Writer) ([]bool, error) {
	d := &differ{w: w, bases: bases, out: newSegmentWriter(out, bases), target: target, index: map[uint64]place{}, names: map[string]place{}, used: make([]bool, len(bases)), buf: make([]byte, maxChunk)}
	for i := len(bases) - 1; i >= 0; i-- { // what the first one has counts
		if err := d.note(ctx, i); err != nil {
			return nil, err
		}
	}
	var cut chunker
	name := ""
	err := chunks(ctx, target, &cut, func(p []byte, at int64) error {
		if cut.name != name && at >= cut.begins {
			name = cut.name
			if found, ok := d.names[name]; ok && d.copying.size == 0 {
				d.guess, d.known = found, true
			}
		}
		return d.chunk(p)
	})
	if err == nil {
		err = d.flush()
	}
	return d.used, err
}

// chunks calls f with each chunk of a plaintext and where it is.
func chunks(ctx context.Context, p *Plaintext, cut *chunker, f func(p []byte, at int64) error) error {
	in := bufio.NewReaderSize(io.NewSectionReader(p.file, 0, p.Plain), 256<<10)
	at := int64(0)
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		b, err := in.Peek(maxChunk)
		if len(b) == 0 {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		n := cut.next(b)
		if err := f(b[:n], at); err != nil {
			return err
		}
		at += int64(n)
		if _, err := in.Discard(n); err != nil {
			return err
		}
	}
}

// note puts the chunks of a base into the index.
func (d *differ) note(ctx context.Context, i int) error {
	var cut chunker
	return chunks(ctx, d.bases[i], &cut, func(p []byte, at int64) error {
		d.index[maphash.Bytes(d.w.seed, p)] = place{int32(i), at}
		if at == cut.begins {
			d.names[cut.name] = place{int32(i), at}
		}
		return nil
	})
}

// chunk takes the next chunk of the layer.
func (d *differ) chunk(p []byte) error {
	for len(p) > 0 {
		if d.copying.size > 0 {
			n, err := d.equal(p, place{int32(d.copying.base), d.copying.first + d.copying.size})
			if err != nil {
				return err
			}
			d.copying.size += int64(n)
			if p = p[n:]; len(p) == 0 {
				return nil
			}
			if err := d.endCopy(); err != nil {
				return err
			}
		}
		if found, ok := d.index[maphash.Bytes(d.w.seed, p)]; ok {
			n, err := d.equal(p, found)
			if err != nil {
				return err
			}
			if n == len(p) {
				if err := d.begin(p, found); err != nil {
					return err
				}
				return nil
			}
		}
		// Nothing is known of it. If it is where it was expected, behind a few bytes that differ, go on there.
		if d.known {
			n, err := d.equal(p, d.guess)
			if err != nil {
				return err
			}
			if n >= minCopy {
				if err := d.begin(p[:n], d.guess); err != nil {
					return err
				}
				p = p[n:]
				continue
			}
		}
		d.literal = append(d.literal, p...)
		if d.known {
			d.guess.at += int64(len(p))
		}
		if len(d.literal) >= maxLiterals/2 {
			return d.literals(nil)
		}
		return nil
	}
	return nil
}

// equal returns how many bytes of p are at a place.
func (d *differ) equal(p []byte, at place) (int, error) {
	base := d.bases[at.base]
	if at.at < 0 || at.at >= base.Plain {
		return 0, nil
	}
	have := d.buf[:min(int64(len(p)), base.Plain-at.at)]
	if _, err := base.file.ReadAt(have, at.at); err != nil {
		return 0, err
	}
	n := 0
	for n < len(have) && have[n] == p[n] {
		n++
	}
	return n, nil
}

// begin begins a copy of p from a place, which also has the end of the literals before it.
func (d *differ) begin(p []byte, found place) error {
	first, size := found.at, int64(len(p))
	for len(d.literal) > 0 && first > 0 {
		n := min(int64(minBack), first, int64(len(d.literal)))
		have := d.buf[:n]
		if _, err := d.bases[found.base].file.ReadAt(have, first-n); err != nil {
			return err
		}
		equal := int64(0)
		for equal < n && have[n-1-equal] == d.literal[int64(len(d.literal))-1-equal] {
			equal++
		}
		first -= equal
		size += equal
		d.literal = d.literal[:int64(len(d.literal))-equal]
		if equal < n {
			break
		}
	}
	next := place{found.base, first}
	if err := d.literals(&next); err != nil {
		return err
	}
	d.copying = span{int(found.base), first, size}
	d.known = false
	return nil
}

// endCopy writes the copy, and expects its continuation.
func (d *differ) endCopy() error {
	c := d.copying
	d.copying = span{}
	if c.size == 0 {
		return nil
	}
	d.used[c.base] = true
	d.guess, d.known = place{int32(c.base), c.first + c.size}, true
	return d.out.copy(c)
}

// literals writes the literals, which resemble what is where they were expected, and before next.
func (d *differ) literals(next *place) error {
	if len(d.literal) == 0 {
		return nil
	}
	n := int64(len(d.literal))
	around := int64(min(slack, 64+4*n))
	if next == nil {
		around = wide
	}
	if d.known {
		d.used[d.guess.base] = true
		at := d.guess.at - n
		d.out.resemble(span{int(d.guess.base), at - around, n + 2*around})
	}
	if next != nil && !(d.known && d.guess.base == next.base && next.at >= d.guess.at-n && next.at <= d.guess.at+around) {
		d.used[next.base] = true
		d.out.resemble(span{int(next.base), next.at - n - around, n + around})
	}
	err := d.out.literal(d.literal)
	d.literal = d.literal[:0]
	return err
}

func (d *differ) flush() error {
	if err := d.endCopy(); err != nil {
		return err
	}
	if err := d.literals(nil); err != nil {
		return err
	}
	return d.out.flush()
}
