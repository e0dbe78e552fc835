package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/partial"
)

// FetchBlob brings one blob of src into the file at path, over opts.Connections
// connections where src can do that, and reports to opts.Progress; of opts nothing else
// counts. Until all of it is there and has the digest of d, the content is in
// another file of the same directory, from which a later call resumes. A file at
// path is replaced; if it is the blob already, nothing is done: [content.OutcomeSkipped].
func FetchBlob(ctx context.Context, src content.Source, d content.Descriptor, path string, opts Options) (content.Outcome, error) {
	f := &blobFetch{src: src, d: d, target: path, connections: opts.connections(), progress: opts.Progress, outcome: content.OutcomeSent}
	if err := content.CheckDescriptor(d); err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return "", fmt.Errorf("%s: not a regular file", path)
	case err == nil && info.Size() == d.Size && sameContent(ctx, path, d):
		return content.OutcomeSkipped, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	f.emit(content.Event{Kind: content.EventPlanned, Bytes: d.Size, Blobs: 1})
	f.emit(content.Event{Kind: content.EventStarted, Bytes: d.Size})
	p, err := partial.Open(ctx, filepath.Join(filepath.Dir(path), partial.Name(d.Digest)), d.Size)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if err := p.Finish(path, atFault(f.fill(ctx, p), d.Digest)); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	f.emit(content.Event{Kind: content.EventDone, Bytes: d.Size, Outcome: f.outcome})
	return f.outcome, nil
}

// sameContent reports whether a file has the digest of d.
func sameContent(ctx context.Context, path string, d content.Descriptor) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, content.NewVerifyingReader(ctx, f, d))
	return err == nil
}

// blobFetch is one blob on its way to a file.
type blobFetch struct {
	src         content.Source
	d           content.Descriptor
	target      string
	connections int
	progress    func(content.Event)
	outcome     content.Outcome
}

func (f *blobFetch) emit(e content.Event) {
	if f.progress != nil {
		e.Target, e.Descriptor = f.target, f.d
		f.progress(e)
	}
}

func (f *blobFetch) moved(n int64) { f.emit(content.Event{Kind: content.EventMoved, Bytes: n}) }

// resumed takes a negative number back: what was there was wrong.
func (f *blobFetch) resumed(n int64) {
	if n == 0 {
		return
	}
	f.outcome = content.OutcomeResumed
	if n < 0 {
		f.outcome = content.OutcomeSent
	}
	f.emit(content.Event{Kind: content.EventResumed, Bytes: n})
}

// fill writes the content of the blob to p.
func (f *blobFetch) fill(ctx context.Context, p *partial.File) error {
	before := int64(0)
	if src, ok := f.src.(content.RangeReader); ok {
		open, err := src.Ranges(ctx, f.d)
		if err != nil {
			return err
		}
		err = p.FillAgain(func(file content.PartialFile) error {
			f.resumed(p.Resumed - before)
			before = p.Resumed
			return fetchRanges(ctx, file, f.src, f.d, open, f.connections, f.moved)
		})
		if !errors.Is(err, content.ErrNoRanges) {
			return err
		}
	}
	f.resumed(-before)
	if err := p.Restart(); err != nil {
		return err
	}
	data, err := openBlob(ctx, f.src, f.d)
	if err != nil {
		return err
	}
	defer data.Close()
	_, err = io.Copy(p, &movedReader{verified(ctx, f.src, data, f.d), f.moved})
	return err
}
