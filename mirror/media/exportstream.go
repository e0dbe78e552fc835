package media

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// ahead is how many small blobs are fetched at once while a stream is written, and maxAhead the size of
	// the largest of them: that bounds memory.
	ahead    = 8
	maxAhead = 4 << 20
)

// ExportStream is [ExportFile] to a stream: the same bytes. After any other error than an [IncompleteError], what was written is no set, and
// readers refuse it. Nothing is kept on the disk, so it cannot be resumed.
func ExportStream(ctx context.Context, c mirror.Config, o mirror.Opener, out io.Writer, opts ExportOptions) (Set, error) {
	e, err := prepareOne(ctx, c, o, "", opts)
	if err != nil {
		return Set{}, err
	}
	defer e.close()
	if err := e.plan.embed(ctx, opts); err != nil {
		return Set{}, err
	}
	if err := e.stream(ctx, out); err != nil {
		return Set{}, err
	}
	return e.plan.set(), e.left.incomplete()
}

// origin is where a blob of the plan is read.
type origin struct {
	content.Descriptor
	source content.Source
	known  []byte // the bytes of a manifest
	delta  io.Reader
}

// stream writes the tar in its order. Blobs are fetched some at once; large ones over several connections,
// when it is their turn.
func (e *exporter) stream(ctx context.Context, out io.Writer) error {
	origins := e.origins()
	group, ctx := errgroup.WithContext(ctx)
	fetched := make(chan chan []byte, ahead)
	group.Go(func() error {
		defer close(fetched)
		for _, m := range e.plan.members {
			o := origins[m]
			result := make(chan []byte, 1)
			if o == nil || o.Size > maxAhead {
				result <- nil
			} else {
				group.Go(func() error {
					var data bytes.Buffer
					if err := e.read(ctx, o, &data); err != nil {
						return err
					}
					result <- data.Bytes()
					return nil
				})
			}
			select {
			case fetched <- result:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	group.Go(func() error {
		for _, m := range e.plan.members {
			var data []byte
			select {
			case result := <-fetched:
				select {
				case data = <-result:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			if err := e.writeMember(ctx, m, origins[m], data, out); err != nil {
				return err
			}
		}
		_, err := out.Write(make([]byte, 2*block))
		return err
	})
	return group.Wait()
}

// writeMember writes a file of the tar; data is its content, nil for a large blob.
func (e *exporter) writeMember(ctx context.Context, m *member, o *origin, data []byte, out io.Writer) error {
	head, err := m.head()
	if err != nil {
		return err
	}
	if _, err := out.Write(head); err != nil {
		return err
	}
	switch {
	case o == nil:
		err = m.file.write(out)
	case o.Size <= maxAhead:
		_, err = out.Write(data)
	default:
		err = e.read(ctx, o, out)
	}
	if err == nil {
		_, err = out.Write(make([]byte, m.end()-m.first()-m.size))
	}
	return err
}

// read writes a blob to out, verified at its end.
func (e *exporter) read(ctx context.Context, o *origin, out io.Writer) error {
	switch {
	case o.known != nil:
		_, err := out.Write(o.known)
		return err
	case o.delta != nil:
		_, err := io.Copy(out, content.NewVerifyingReader(ctx, o.delta, o.Descriptor))
		return err
	}
	w := &failure{Writer: out}
	if err := transfer.StreamBlob(ctx, o.source, o.Descriptor, w, e.opts.Copy); err != nil && w.err == nil {
		return fmt.Errorf("%s: %w", o.source, err)
	}
	return w.err // is not the fault of the source
}

// failure is a writer that keeps the error of its last write.
type failure struct {
	io.Writer
	err error
}

func (w *failure) Write(p []byte) (n int, err error) {
	n, w.err = w.Writer.Write(p)
	return n, w.err
}

// origins returns where each blob of the plan comes from.
func (e *exporter) origins() map[*member]*origin {
	origins := map[*member]*origin{}
	for d, m := range e.plan.blobs {
		origins[m] = &origin{Descriptor: content.Descriptor{MediaType: "application/octet-stream", Digest: d, Size: m.size}}
	}
	for d, m := range e.collected.manifests {
		origins[e.plan.blobs[d]].known = m
	}
	if e.deltas != nil {
		for i, d := range e.deltas.deltas {
			origins[e.plan.blobs[d.Delta]].delta = io.NewSectionReader(e.deltas.made[i].File, 0, d.Bytes)
		}
	}
	for d, blob := range e.collected.blobs {
		if o := origins[e.plan.blobs[d]]; o != nil && o.known == nil && o.delta == nil {
			o.Descriptor, o.source = blob, e.sourceOf(d)
		}
	}
	return origins
}

// sourceOf returns the repository that a blob was found in.
func (e *exporter) sourceOf(d digest.Digest) content.Source {
	for i, s := range e.selected {
		if s.From == e.collected.from[d] {
			return e.sources[i].Source
		}
	}
	return nil // each blob comes from one of them
}
