// Package ranges reads one blob over several connections at once: by ranges, each
// written at its place in a file, and hashed in their order in the same pass.
package ranges

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// maxSize of one range in bytes. Amazon S3 advises ranges of 8 to 16 MB:
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance-guidelines.html.
	maxSize = 8 << 20
	// minSize keeps the round trip of a range short beside its bytes.
	minSize = 1 << 20
)

// Fetch reads the size bytes of a blob into f over at most connections ranges at
// once, and writes them to hash in their order. What f has already is only
// hashed. A range that breaks off resumes at its last byte; a connection that
// brings nothing while others do is replaced. The memory needed does not depend
// on size. progress is called with the number of bytes that came.
//
// The first connection is alone for a while, and a small blob stays its own while it is fast: on a fast network others
// would only delay the first bytes, and cost more than they bring.
func Fetch(ctx context.Context, f content.PartialFile, hash io.Writer, size int64, open content.RangeOpener, connections int, alone time.Duration, progress func(n int)) error {
	connections = max(connections, 1)
	todo := plan(f.Done(), size, connections)
	group, ctx := errgroup.WithContext(ctx)
	order := sequence{hash: hash}
	// The hash follows the bytes and reads what was just written, which the operating
	// system still has in memory.
	group.Go(func() error {
		buffer := make([]byte, 64<<10)
		for _, r := range todo {
			if err := order.follow(ctx, r, f, buffer); err != nil {
				return err
			}
		}
		return nil
	})
	missing := queue{}
	for _, r := range todo {
		if !r.there {
			missing.left = append(missing.left, r)
		}
	}
	watch := newWatchdog()
	defer watch.stop()
	first := newLead(ctx, size, alone)
	defer first.join()
	for i := range min(connections, len(missing.left)) {
		group.Go(func() error {
			w := fetcher{f: f, open: open, watch: watch, progress: progress}
			if i == 0 {
				defer first.join() // nothing is left, or it has failed
			} else {
				<-first.alone.Done()
			}
			atOnce := int64(0) // the first request shows whether it is to stay alone
			for taken := missing.next(atOnce); len(taken) > 0; taken = missing.next(atOnce) {
				w.came = func(p []byte, at int64) error {
					hashed := false
					if i == 0 && first.isAlone() {
						first.read(len(p))
						var err error
						if hashed, err = order.write(p, at); err != nil {
							return err
						}
					}
					taken.add(int64(len(p)), hashed)
					return nil
				}
				s := taken.span()
				got, err := w.fetch(ctx, s)
				if got > 0 { // also of a range that breaks off: a later process resumes there
					err = errors.Join(err, f.AddDone(content.Span{First: s.First, Length: got}))
				}
				if err != nil {
					return err
				}
				if atOnce = 0; i == 0 && first.isAlone() && size <= leadSize {
					atOnce = maxSize
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// Count is how many ranges a blob of size bytes is read in.
func Count(size int64, connections int) int { return len(plan(nil, size, max(connections, 1))) }

// plan cuts size bytes into pieces, in their order.
func plan(done []content.Span, size int64, connections int) []*piece {
	missing := size
	for _, s := range done {
		missing -= s.Length
	}
	n := int64(connections)
	length := min(max((missing+n-1)/n, minSize), maxSize)
	var pieces []*piece
	at := int64(0)
	cut := func(end int64) {
		for ; at < end; at += length {
			pieces = append(pieces, newPiece(content.Span{First: at, Length: min(length, end-at)}, false))
		}
		at = end
	}
	for _, s := range done {
		cut(s.First)
		pieces = append(pieces, newPiece(s, true))
		at = s.End()
	}
	cut(size)
	return pieces
}

// buffers are for connections, of which many blobs that are read at once may have fewer than fetchers.
var buffers = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// fetcher reads ranges one after the other.
type fetcher struct {
	f        io.WriterAt
	open     content.RangeOpener
	watch    *watchdog
	idle     time.Duration // how long a request may bring nothing while others bring bytes
	progress func(n int)
	came     func(p []byte, at int64) error // is called when p is in f
}

// fetch reads one range, with as many tries as it needs as long as they bring
// bytes that are worth it. It returns how many came.
func (w *fetcher) fetch(ctx context.Context, s content.Span) (int64, error) {
	first, end, tries := s.First, s.End(), retry.New(retry.Default())
	defer tries.End()
	w.idle = max(w.idle/2, stallBeside)
	for sent := 0; ; sent++ {
		if err := tries.Wait(ctx); err != nil {
			return first - s.First, err
		}
		got, err := w.read(tries.With(retry.Repeated(ctx, sent)), first, end-first)
		first += got
		if first == end {
			return s.Length, nil
		}
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		if errors.Is(err, ErrStalled) {
			w.idle = min(2*w.idle, stallAlone) // the link may just be slow
		}
		if got >= worthwhile(s.Length) {
			tries.Progress()
		}
		if err := giveUp(ctx, tries, err); err != nil {
			return first - s.First, fmt.Errorf("at byte %d: %w", first, err)
		}
	}
}

// worthwhile is how many bytes a try has to bring so that the failures before it are forgotten, where n bytes are
// read: a 16th, at most 4 KiB. With fewer, a source that stalls after a few bytes each time could make a pull last
// for days.
func worthwhile(n int64) int64 { return max(1, min(n/16, 4<<10)) }

// giveUp notes that a try has failed with err. It returns nil if there is to be another one.
func giveUp(ctx context.Context, tries *retry.Tries, err error) error {
	v, notBefore := retry.Judge(ctx, err)
	switch {
	case v == retry.Final:
		return err
	case tries.Again(ctx, v, notBefore):
		return nil
	}
	return &retry.GaveUp{Err: err}
}

// read makes one request and returns how many bytes it brought.
func (w *fetcher) read(ctx context.Context, first, n int64) (got int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alive := w.watch.add(cancel, w.idle)
	defer w.watch.remove(alive)
	ctx = context.WithValue(ctx, requestKey{}, alive)
	body, err := w.open(ctx, first, n)
	if err != nil {
		return 0, stalled(ctx, err)
	}
	defer body.Close()
	w.watch.open(alive)
	lent := buffers.Get().(*[128 << 10]byte)
	defer buffers.Put(lent)
	buffer := lent[:]
	for {
		// One byte more than is wanted shows the end, after which the connection
		// can serve the next range, and an answer that is too long.
		m, err := body.Read(buffer)
		if int64(m) > n-got {
			return got, content.Permanent(fmt.Errorf("more than the %d bytes asked for", n))
		}
		if _, err := w.f.WriteAt(buffer[:m], first+got); err != nil {
			return got, content.Permanent(err)
		}
		if m > 0 {
			if err := w.came(buffer[:m], first+got); err != nil {
				return got, content.Permanent(err)
			}
		}
		got += int64(m)
		w.watch.progress(alive, m)
		w.progress(m)
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, stalled(ctx, err)
		}
	}
}

// stalled is the watchdog's reason, if it was that which ended a request.
func stalled(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, ErrStalled) {
		return cause
	}
	return err
}

// Read reads the n bytes of a blob from first on into buffer, with the same tries
// as [Fetch].
func Read(ctx context.Context, buffer []byte, first int64, open content.RangeOpener) error {
	watch := newWatchdog()
	defer watch.stop()
	w := fetcher{f: memory{buffer, first}, open: open, watch: watch, progress: func(int) {}, came: func([]byte, int64) error { return nil }}
	_, err := w.fetch(ctx, content.Span{First: first, Length: int64(len(buffer))})
	return err
}

// memory is a part of a blob in memory.
type memory struct {
	data  []byte
	first int64
}

func (m memory) WriteAt(p []byte, off int64) (int, error) {
	return copy(m.data[off-m.first:], p), nil
}
