package v2

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
)

// bodyParts is how many parts of a blob are read ahead of the one that is sent.
const bodyParts = 2

// layerBody is a blob as the body of one request. Its last bytes come only if all
// have the digest of the descriptor: nothing else can become a blob. It leaves that
// to a registry that is known to look, if the blob is large and can be read again.
type layerBody struct {
	d       content.Descriptor
	sent    func(n int64)
	cancel  context.CancelFunc
	parts   chan *bodyPart // in their order
	current *bodyPart
	hash    digest.Verifier // nil if the registry looks
	pace    *Pace           // nil if no matter how
	slow    func()          // ends the request if that is too slow

	mu     sync.Mutex
	at     int64 // bytes read
	err    error // why it can't be read further, except that it was closed
	closed bool
	done   chan struct{} // closed when nothing of the content is in use
}

// bodyPart is a part that is being read ahead.
type bodyPart struct {
	content.Part
	first, n int64
	section  *io.SectionReader
	err      error
	loaded   chan struct{} // closed when section or err is there
}

// newLayerBody begins to read data. sent is called with the number of bytes that are
// taken.
func newLayerBody(ctx context.Context, d content.Descriptor, data content.PartReader, sent func(int64), put Put) *layerBody {
	loading, cancel := context.WithCancel(ctx)
	b := &layerBody{d: d, sent: sent, pace: put.Pace, cancel: cancel, parts: make(chan *bodyPart, bodyParts), done: make(chan struct{})}
	if _, again := data.(parts.File); !put.Checked || !again || d.Size <= content.DefaultPartSize {
		b.hash = d.Digest.Verifier()
	}
	go b.readAhead(ctx, loading, data)
	return b
}

// readAhead reads the parts. What is prepared with ctx may outlive this body, what
// is loaded ends with it.
func (b *layerBody) readAhead(ctx, loading context.Context, data content.PartReader) {
	defer close(b.parts)
	for first := int64(0); first < b.d.Size; first += content.DefaultPartSize {
		p := &bodyPart{first: first, n: min(content.DefaultPartSize, b.d.Size-first), loaded: make(chan struct{})}
		part, err := data.Part(ctx, p.first, p.n)
		if part.Release == nil {
			part.Release = func() {}
		}
		p.Part = part
		if err != nil {
			p.err = err
			close(p.loaded)
		} else {
			go func() {
				p.section, p.err = p.Load(loading)
				close(p.loaded)
			}()
		}
		select {
		case b.parts <- p:
		case <-loading.Done():
			p.drop()
			return
		}
		if err != nil {
			return
		}
	}
}

// drop frees the memory of a part once nothing is written to it any more.
func (p *bodyPart) drop() {
	<-p.loaded
	p.Release()
}

// Begin waits for the first part, so that no request stands still for it.
func (b *layerBody) Begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.d.Size > 0 {
		b.err = b.next()
	}
	return b.err
}

// next moves to the next part.
func (b *layerBody) next() error {
	p, ok := <-b.parts
	if !ok {
		return fmt.Errorf("at byte %d: %w", b.at, io.ErrUnexpectedEOF)
	}
	b.current = p
	<-p.loaded
	return p.err
}

func (b *layerBody) Read(buffer []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, io.ErrClosedPipe
	case b.err != nil:
		return 0, b.err
	case b.at == b.d.Size:
		return 0, io.EOF
	}
	if b.at == 0 && b.pace != nil {
		b.pace.watch(b.taken, b.slow)
	}
	n, err := b.read(buffer)
	if err != nil {
		b.err = err
		return 0, err
	}
	b.at += int64(n)
	b.sent(int64(n))
	return n, nil
}

// taken returns how many bytes were read.
func (b *layerBody) taken() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at
}

// read reads from the current part, or begins with the next one.
func (b *layerBody) read(buffer []byte) (int, error) {
	if b.current == nil {
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	p := b.current
	n, err := p.section.ReadAt(buffer[:min(int64(len(buffer)), p.first+p.n-b.at)], b.at-p.first)
	if n == 0 && err != nil {
		return 0, fmt.Errorf("at byte %d: %w", b.at, parts.NoEOF(err))
	}
	end := b.at + int64(n)
	if b.hash != nil {
		b.hash.Write(buffer[:n])
	}
	if end == b.d.Size && b.hash != nil && !b.hash.Verified() {
		return 0, fmt.Errorf("%w: the bytes of blob %s have another digest", content.ErrIntegrity, b.d.Digest)
	}
	if end == p.first+p.n {
		p.Release()
		b.current = nil
	}
	return n, nil
}

// SpentBody is the body of a request that cannot be sent a second time.
type SpentBody interface {
	// Spent reports whether some of the body was sent, or it was closed.
	Spent() bool
}

// Spent implements [SpentBody].
func (b *layerBody) Spent() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed || b.at > 0
}

// Close ends the reading.
func (b *layerBody) Close() error {
	b.cancel() // also lets a Read end that waits for a part
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if b.current != nil {
		b.current.drop()
	}
	for p := range b.parts {
		p.drop()
	}
	close(b.done)
	return nil
}

// result waits until the body is closed, and tells how many bytes were read and
// why it could not be read further, nil if that was not so.
func (b *layerBody) result() (read int64, err error) {
	<-b.done
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at, b.err
}
