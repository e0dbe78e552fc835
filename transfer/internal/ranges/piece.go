package ranges

import (
	"sync"
	"sync/atomic"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// piece is a span of the file that exists or comes by one request.
type piece struct {
	content.Span
	there bool
	ready atomic.Int64  // bytes from its beginning that f has
	more  chan struct{} // has one element after ready grew
}

func newPiece(s content.Span, there bool) *piece {
	p := &piece{Span: s, there: there, more: make(chan struct{}, 1)}
	if there {
		p.ready.Store(s.Length)
	}
	return p
}

// add notes that n more bytes are in the file. Who follows them is told, unless it is quiet and more are to come.
func (p *piece) add(n int64, quiet bool) {
	if p.ready.Add(n) < p.Length && quiet {
		return
	}
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// pieces come one behind the other, by one request.
type pieces []*piece

func (p pieces) span() content.Span {
	return content.Span{First: p[0].First, Length: p[len(p)-1].End() - p[0].First}
}

// add notes that n more bytes are in the file.
func (p pieces) add(n int64, quiet bool) {
	for _, r := range p {
		m := min(n, r.Length-r.ready.Load())
		if m > 0 {
			r.add(m, quiet)
		}
		if n -= m; n == 0 {
			return
		}
	}
}

// queue has the pieces that are yet to be fetched.
type queue struct {
	mu   sync.Mutex
	left []*piece
}

// next takes the first piece, and with it those behind it that together have at most so many bytes. Without one it returns none.
func (q *queue) next(bytes int64) pieces {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(1, len(q.left))
	for n > 0 && n < len(q.left) && q.left[n].First == q.left[n-1].End() && q.left[n].End()-q.left[0].First <= bytes {
		n++
	}
	taken := q.left[:n]
	q.left = q.left[n:]
	return taken
}
