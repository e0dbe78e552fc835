package shaping

import (
	"cmp"
	"os"
	"sync"
	"time"
)

// maxPieces bounds what many tiny writes cost beside their bytes.
const maxPieces = 2048

// block is a part of the bytes on the way.
type block [64 << 10]byte

// line is one direction of a link: a bounded queue of bytes, each piece with the
// time at which it may leave. One goroutine puts and one gets at a time.
type line struct {
	window, chunk int
	spare         *sync.Pool    // of *block, which lines share: one that carries nothing holds none
	space, data   chan struct{} // capacity 1: room was made, something was put

	mu     sync.Mutex
	pace   pacer
	blocks []*block
	head   int // index of the oldest byte in the first block
	size   int
	pieces []piece
	end    error // what get returns after the last byte, once endDue has come
	endDue time.Time
	broken error // what put and get return at once
}

type piece struct {
	size int
	due  time.Time
}

func newLine(shape Shape, opened time.Time, spare *sync.Pool) *line {
	return &line{
		spare:  spare,
		window: shape.window(),
		chunk:  shape.chunk(),
		space:  make(chan struct{}, 1),
		data:   make(chan struct{}, 1),
		pace:   pacer{rate: max(shape.Rate, 0), delay: shape.Latency / 2, burst: burst, open: opened.Add(shape.Latency)},
	}
}

// put sends the first bytes of p, at least one and at most a chunk, and waits
// for room while the window is full. Errors: os.ErrDeadlineExceeded, the error
// of finish or fail.
func (l *line) put(p []byte, d *deadline) (int, error) {
	for {
		at, changed := d.state()
		now := time.Now()
		if expired(at, now) {
			return 0, os.ErrDeadlineExceeded
		}
		l.mu.Lock()
		if l.broken != nil || l.end != nil {
			defer l.mu.Unlock()
			return 0, cmp.Or(l.broken, l.end)
		}
		if n := min(len(p), l.window-l.size, l.chunk); n > 0 && len(l.pieces) < maxPieces {
			l.store(p[:n])
			l.pieces = append(l.pieces, piece{n, l.pace.schedule(now, n)})
			l.mu.Unlock()
			signal(l.data)
			return n, nil
		}
		l.mu.Unlock()
		wait(l.space, changed, at)
	}
}

// get receives bytes that have arrived, at least one, and waits while there are
// none. Errors: os.ErrDeadlineExceeded, the error of finish after the last
// byte, the error of fail.
func (l *line) get(p []byte, d *deadline) (int, error) {
	for {
		at, changed := d.state()
		now := time.Now()
		if expired(at, now) {
			return 0, os.ErrDeadlineExceeded
		}
		l.mu.Lock()
		if l.broken != nil {
			defer l.mu.Unlock()
			return 0, l.broken
		}
		n := 0
		for len(l.pieces) > 0 && n < len(p) && !l.pieces[0].due.After(now) {
			n += l.take(p[n:])
		}
		if n > 0 {
			l.mu.Unlock()
			signal(l.space)
			return n, nil
		}
		var due time.Time
		switch {
		case len(l.pieces) > 0:
			due = l.pieces[0].due
		case l.end != nil && !l.endDue.After(now):
			defer l.mu.Unlock()
			return 0, l.end
		case l.end != nil:
			due = l.endDue
		}
		l.mu.Unlock()
		wait(l.data, changed, earlier(due, at))
	}
}

// finish ends the line: get returns err after the bytes sent before.
func (l *line) finish(err error) {
	l.mu.Lock()
	if l.end == nil {
		l.end, l.endDue = err, l.pace.schedule(time.Now(), 0)
	}
	l.mu.Unlock()
	signal(l.data)
	signal(l.space)
}

// fail breaks the line: what is on the way is lost, put and get return err.
func (l *line) fail(err error) {
	l.mu.Lock()
	if l.broken == nil {
		l.broken, l.blocks, l.pieces, l.size = err, nil, nil, 0
	}
	l.mu.Unlock()
	signal(l.data)
	signal(l.space)
}

// store appends p, which fits into the window.
func (l *line) store(p []byte) {
	for len(p) > 0 {
		at := (l.head + l.size) % len(block{})
		if (l.head+l.size)/len(block{}) == len(l.blocks) {
			l.blocks = append(l.blocks, l.newBlock())
		}
		n := copy(l.blocks[len(l.blocks)-1][at:], p)
		l.size += n
		p = p[n:]
	}
}

func (l *line) newBlock() *block {
	if b, ok := l.spare.Get().(*block); ok {
		return b
	}
	return new(block)
}

// take moves bytes of the oldest piece to p.
func (l *line) take(p []byte) int {
	first := &l.pieces[0]
	n := copy(p[:min(len(p), first.size)], l.blocks[0][l.head:])
	l.head += n
	l.size -= n
	if l.head == len(block{}) || l.size == 0 {
		l.spare.Put(l.blocks[0])
		l.blocks, l.head = l.blocks[1:], 0
	}
	if first.size -= n; first.size == 0 {
		l.pieces = l.pieces[1:]
	}
	return n
}

// signal wakes the goroutine that waits, or the next one that will.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wait returns when one of the channels says so or at the time, if that is not zero.
func wait(signalled, changed <-chan struct{}, at time.Time) {
	var timeout <-chan time.Time
	if !at.IsZero() {
		timer := time.NewTimer(time.Until(at))
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-signalled:
	case <-changed:
	case <-timeout:
	}
}

// earlier returns the earlier of two times of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
