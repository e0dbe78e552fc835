package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
)

// streamChunk is how many bytes of a blob that is written to a stream come by one
// request; there is memory for one of them for each connection.
const streamChunk = 4 << 20

// StreamBlob writes one blob of src to w in its order, over opts.Connections
// connections where src can do that, and reports to opts.Progress; of opts nothing else
// counts. What was written before an error is in w; if it wraps [content.ErrIntegrity], it
// is not the blob and must not be used.
func StreamBlob(ctx context.Context, src content.Source, d content.Descriptor, w io.Writer, opts Options) error {
	if err := content.CheckDescriptor(d); err != nil {
		return err
	}
	f := &blobFetch{src: src, d: d, target: "stdout", connections: opts.connections(), progress: opts.Progress, outcome: content.OutcomeSent}
	f.emit(content.Event{Kind: content.EventPlanned, Bytes: d.Size, Blobs: 1})
	f.emit(content.Event{Kind: content.EventStarted, Bytes: d.Size})
	if err := f.stream(ctx, w); err != nil {
		return atFault(err, d.Digest)
	}
	f.emit(content.Event{Kind: content.EventDone, Bytes: d.Size, Outcome: f.outcome})
	return nil
}

func (f *blobFetch) stream(ctx context.Context, w io.Writer) error {
	if src, ok := f.src.(content.RangeReader); ok {
		open, err := src.Ranges(ctx, f.d)
		if err != nil {
			return err
		}
		written, err := f.streamRanges(ctx, w, open)
		if written > 0 || !errors.Is(err, content.ErrNoRanges) {
			return err
		}
	}
	data, err := openBlob(ctx, f.src, f.d)
	if err != nil {
		return err
	}
	defer data.Close()
	_, err = io.Copy(w, &movedReader{verified(ctx, f.src, data, f.d), f.moved})
	return err
}

// streamRanges reads some chunks at once and writes them one after the other.
func (f *blobFetch) streamRanges(ctx context.Context, w io.Writer, open content.RangeOpener) (written int64, err error) {
	hash := f.d.Digest.Verifier()
	free := make(chan []byte, f.connections)
	for range f.connections {
		free <- nil
	}
	// The chunks in their order; each becomes a buffer when it is there.
	chunks := make(chan chan []byte, f.connections)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(chunks)
		for first := int64(0); first < f.d.Size; first += streamChunk {
			var buffer []byte
			select {
			case buffer = <-free:
			case <-ctx.Done():
				return ctx.Err()
			}
			n := min(streamChunk, f.d.Size-first)
			if int64(cap(buffer)) < n {
				buffer = make([]byte, n)
			}
			there := make(chan []byte, 1)
			group.Go(func() error {
				if err := ranges.Read(ctx, buffer[:n], first, open); err != nil {
					return blameSource(f.src, err)
				}
				f.moved(n)
				there <- buffer[:n]
				return nil
			})
			chunks <- there
		}
		return nil
	})
	group.Go(func() error {
		for there := range chunks {
			select {
			case data := <-there:
				hash.Write(data)
				n, err := w.Write(data)
				written += int64(n)
				if err != nil {
					return err
				}
				free <- data
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return written, err
	}
	if !hash.Verified() {
		return written, fmt.Errorf("%s: blob %s: %w: the bytes that were written have another digest; do not use them", f.src, f.d.Digest, content.ErrIntegrity)
	}
	return written, nil
}
