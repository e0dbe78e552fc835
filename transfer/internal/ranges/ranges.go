// Package ranges reads one blob over several connections at once: by ranges, each
// written at its place in a file, and hashed in their order in the same pass.
package ranges

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
	"golang.org/x/sync/errgroup"
)

// requestKey is where the context of an [content.RangeOpener] has its request.
type requestKey struct{}

// IsRepeated tells an [content.RangeOpener] whether its range, or the beginning of it, was asked
// for before.
func IsRepeated(ctx context.Context) bool {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r != nil && r.repeated
}

// Sending tells that an [content.RangeOpener] sends its request now, which may stall from now on
// until sent is called. Otherwise it is only watched once it is open: it may wait
// for its turn.
func Sending(ctx context.Context) (sent func()) {
	r, _ := ctx.Value(requestKey{}).(*request)
	if r == nil || r.dog == nil {
		return func() {}
	}
	r.dog.begin(r)
	return func() { r.dog.pause(r) }
}

const (
	// maxSize of one range in bytes. Amazon S3 advises ranges of 8 to 16 MB:
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance-guidelines.html.
	maxSize = 8 << 20
	// minSize keeps the round trip of a range short beside its bytes.
	minSize = 1 << 20
	// maxTries is how often in a row a range may fail without having got a byte.
	maxTries = 6
	// firstPause is the wait before the second try; it doubles with each.
	firstPause = 100 * time.Millisecond
)

// Fetch reads the size bytes of a blob into f over at most connections ranges at
// once, and writes them to hash in their order. What f has already is only
// hashed. A range that breaks off goes on from its last byte; a connection that
// brings nothing while others do is replaced. The memory needed does not depend
// on size. progress is called with the number of bytes that came.
func Fetch(ctx context.Context, f content.PartialFile, hash io.Writer, size int64, open content.RangeOpener, connections int, progress func(n int)) error {
	connections = max(connections, 1)
	todo := plan(f.Done(), size, connections)
	group, ctx := errgroup.WithContext(ctx)
	// The hash follows the ranges and reads what they have just written, which
	// the operating system still has in memory.
	group.Go(func() error {
		for _, r := range todo {
			select {
			case <-r.done:
			case <-ctx.Done():
				return ctx.Err()
			}
			if _, err := io.Copy(hash, io.NewSectionReader(f, r.First, r.Length)); err != nil {
				return err
			}
		}
		return nil
	})
	missing := make(chan piece, len(todo))
	for _, r := range todo {
		if !r.there {
			missing <- r
		}
	}
	close(missing)
	watch := newWatchdog()
	defer watch.stop()
	for range min(connections, len(missing)) {
		group.Go(func() error {
			w := fetcher{f: f, open: open, buffer: make([]byte, 128<<10), watch: watch, progress: progress}
			for r := range missing {
				got, err := w.fetch(ctx, r.Span)
				if got > 0 { // also of a range that breaks off: a later process goes on from there
					err = errors.Join(err, f.AddDone(content.Span{First: r.First, Length: got}))
				}
				if err != nil {
					return err
				}
				close(r.done)
			}
			return nil
		})
	}
	return group.Wait()
}

// Count is how many ranges a blob of size bytes is read in.
func Count(size int64, connections int) int { return len(plan(nil, size, max(connections, 1))) }

// piece is a span of the file that is there or comes by one request.
type piece struct {
	content.Span
	there bool
	done  chan struct{} // closed when it is there
}

// plan cuts size bytes into pieces, in their order.
func plan(done []content.Span, size int64, connections int) []piece {
	missing := size
	for _, s := range done {
		missing -= s.Length
	}
	n := int64(connections)
	length := min(max((missing+n-1)/n, minSize), maxSize)
	var pieces []piece
	at := int64(0)
	cut := func(end int64) {
		for ; at < end; at += length {
			pieces = append(pieces, piece{Span: content.Span{First: at, Length: min(length, end-at)}, done: make(chan struct{})})
		}
		at = end
	}
	for _, s := range done {
		cut(s.First)
		there := piece{Span: s, there: true, done: make(chan struct{})}
		close(there.done)
		pieces = append(pieces, there)
		at = s.End()
	}
	cut(size)
	return pieces
}

// fetcher reads ranges one after the other.
type fetcher struct {
	f        io.WriterAt
	open     content.RangeOpener
	buffer   []byte
	watch    *watchdog
	progress func(n int)
}

// fetch reads one range, with as many tries as it needs as long as each brings
// some bytes. It returns how many came.
func (w *fetcher) fetch(ctx context.Context, s content.Span) (int64, error) {
	first, end, tries, pause, repeated := s.First, s.End(), 0, firstPause, false
	for {
		got, err := w.read(ctx, first, end-first, repeated)
		first += got
		if first == end {
			return s.Length, nil
		}
		if repeated = true; err == nil {
			err = io.ErrUnexpectedEOF
		}
		if got > 0 {
			tries, pause = 0, firstPause
		}
		tries++
		if ctx.Err() != nil || tries == maxTries || content.IsPermanent(err) {
			return first - s.First, fmt.Errorf("at byte %d: %w", first, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return first - s.First, ctx.Err()
		}
		pause *= 2
	}
}

// read makes one request and returns how many bytes it brought.
func (w *fetcher) read(ctx context.Context, first, n int64, repeated bool) (got int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alive := w.watch.add(cancel)
	defer w.watch.remove(alive)
	alive.repeated = repeated
	ctx = context.WithValue(ctx, requestKey{}, alive)
	body, err := w.open(ctx, first, n)
	if err != nil {
		return 0, stalled(ctx, err)
	}
	defer body.Close()
	w.watch.begin(alive)
	for {
		// One byte more than is wanted shows the end, after which the connection
		// can serve the next range, and an answer that is too long.
		m, err := body.Read(w.buffer)
		if int64(m) > n-got {
			return got, content.Permanent(fmt.Errorf("more than the %d bytes asked for", n))
		}
		if _, err := w.f.WriteAt(w.buffer[:m], first+got); err != nil {
			return got, content.Permanent(err)
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
	w := fetcher{f: memory{buffer, first}, open: open, buffer: make([]byte, 128<<10), watch: watch, progress: func(int) {}}
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
