package deflate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Survey is what one reading of a stream has shown.
type Survey struct {
	// Members are the sizes of the plaintext of the gzip members, in bytes.
	Members []int64
	// Plain is the size of the whole plaintext, in bytes.
	Plain int64
	// Flush is the distance of the first flushes that plaintext of their member follows, in bytes of plaintext; 0 if the
	// stream has none.
	Flush int64
}

// maxMembers bounds the members of a stream.
const maxMembers = 1 << 20

// Inspect reads a stream to its end and writes its plaintext. The error wraps [ErrFormat] if it is not a
// gzip stream.
func Inspect(r io.Reader, plain io.Writer) (s Survey, err error) {
	in := newReader(r)
	var size, flushed int64
	final := false
	for {
		e, err := in.next()
		if errors.Is(err, io.EOF) && !errors.Is(err, ErrFormat) {
			return s, nil
		}
		if err != nil {
			return s, err
		}
		switch e.kind {
		case kindMember:
			size, flushed = 0, 0
			if len(s.Members) == maxMembers {
				return s, fmt.Errorf("%w: it has more than %d members", ErrFormat, maxMembers)
			}
		case kindBlock:
			final = e.final
		case kindTokens, kindStored:
			// Go ends a stream with an empty block, and writers of eStargz flush each member before its end: that cuts no
			// segments.
			if len(e.plain) > 0 && s.Flush == 0 && len(s.Members) == 0 {
				s.Flush = flushed
			}
			if e.kind == kindStored && len(e.plain) == 0 && !final && flushed == 0 {
				flushed = size
			}
			size += int64(len(e.plain))
			s.Plain += int64(len(e.plain))
			if _, err := plain.Write(e.plain); err != nil {
				return s, err
			}
		case kindTrailer:
			s.Members = append(s.Members, size)
		}
	}
}

// Result is what a description has cost.
type Result struct {
	Tokens int64 // of the stream
	Misses int64 // that were not predicted
	Size   int64 // of the description, in bytes
}

// errEnough ends a description early.
var errEnough = errors.New("enough has been described")

// Describe writes the description of a stream, which its survey is of: what [Rebuild] needs besides the
// plaintext. After limit bytes of plaintext it ends, if limit is not 0, to try an encoder.
func Describe(r io.Reader, s Survey, e Encoder, w io.Writer, limit int64) (Result, error) {
	if err := e.check(); err != nil {
		return Result{}, err
	}
	out := newRangeEncoder(w)
	window := newWindow()
	d := &describer{codec: newCodec(out, e, window, e.model(window)), survey: s, limit: limit}
	err := d.read(newReader(r))
	if errors.Is(err, errEnough) {
		err = nil
	}
	if closeErr := out.close(); err == nil {
		err = closeErr
	}
	return Result{Tokens: d.tokens, Misses: d.misses, Size: out.written}, err
}

// describer describes events, each when the plaintext behind it is known as far as a model looks ahead.
type describer struct {
	*codec
	survey Survey
	member int
	limit  int64
	queue  []event
	tokens int64
}

func (d *describer) read(in *reader) error {
	for {
		e, err := in.next()
		if errors.Is(err, io.EOF) && !errors.Is(err, ErrFormat) {
			if err := d.work(true); err != nil {
				return err
			}
			d.c.bit(&d.more, 0)
			return nil
		}
		if err != nil {
			return err
		}
		if e.kind == kindMember {
			// The lookahead ends with the member.
			if err := d.work(true); err != nil {
				return err
			}
		}
		d.queue = append(d.queue, e.clone())
		if len(e.plain) > 0 {
			for rest := e.plain; len(rest) > 0; {
				n := copy(d.w.room(d.pos), rest)
				d.w.grow(n)
				rest = rest[n:]
				if err := d.work(false); err != nil {
					return err
				}
			}
		}
	}
}

// clone returns the event with slices of its own.
func (e event) clone() event {
	e.tokens = append([]Token(nil), e.tokens...)
	e.header.symbols = append([]uint16(nil), e.header.symbols...)
	e.plain = e.plain[:len(e.plain):len(e.plain)] // only its length counts
	return e
}

// work describes the queued events that have their lookahead.
func (d *describer) work(all bool) error {
	done := 0
	for ; done < len(d.queue); done++ {
		e := &d.queue[done]
		n := int64(len(e.plain))
		if !all && d.w.end() < d.pos+n+lookahead {
			break
		}
		if err := d.describe(e); err != nil {
			return err
		}
	}
	d.queue = append(d.queue[:0], d.queue[done:]...)
	return nil
}

func (d *describer) describe(e *event) error {
	switch e.kind {
	case kindMember:
		d.c.bit(&d.more, 1)
		same := bytes.Equal(e.raw, d.lastHeader)
		if d.c.bit(&d.sameHeader, bit(!same)) == 1 {
			codeNumber(d.c, d.count, uint64(len(e.raw)))
			d.raw(e.raw)
			d.lastHeader = e.raw
		}
		size := d.survey.Members[d.member]
		d.member++
		codeNumber(d.c, d.sizes, uint64(size))
		d.beginMember(size)
	case kindBlock:
		d.block(e.final, e.block)
		switch e.block {
		case 0:
			codeNumber(d.c, d.padding, uint64(e.value))
		case 2:
			return d.header(&e.header, false)
		}
	case kindStored:
		codeNumber(d.c, d.stored, uint64(len(e.plain)))
		d.pass(int64(len(e.plain)))
	case kindTokens:
		for _, t := range e.tokens {
			d.token(t, false)
			d.advance(t.length())
		}
		d.tokens += int64(len(e.tokens))
		if d.limit > 0 && d.pos >= d.limit {
			return errEnough
		}
	case kindEnd:
		if d.pos < d.end {
			d.token(0, true)
		}
		d.lastBlock = d.inBlock
	case kindTrailer:
		d.sum()
		var expected [8]byte
		binary.LittleEndian.PutUint32(expected[:], d.crc)
		binary.LittleEndian.PutUint32(expected[4:], uint32(d.end-d.start))
		plain := bytes.Equal(expected[:], e.raw) && e.value == 0
		if d.c.bit(&d.plainTrailer, bit(!plain)) == 1 {
			codeNumber(d.c, d.padding, uint64(e.value))
			d.raw(e.raw)
		}
	case kindTrailing:
		d.c.bit(&d.more, 1)
		d.c.bit(&d.sameHeader, 1)
		codeNumber(d.c, d.count, 0)
		codeNumber(d.c, d.count, uint64(len(e.raw)))
		d.raw(e.raw)
	}
	return nil
}
