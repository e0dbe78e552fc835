package partial

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/lockfile"
)

// Prefix begins the names of files that are not complete.
const Prefix = ".ecrkit-"

// Name is the name of the file that is to become a blob.
func Name(d digest.Digest) string { return Prefix + d.Encoded() }

// File is a file that gets the content of one blob, and that a later process
// can go on with: beside the content is a file of what has been written, as lines
// of first byte and length, and a lock. What they say is a hint: whether the blob
// is right is told by its digest.
type File struct {
	*os.File
	path    string
	size    int64
	lock    *lockfile.Lock
	Resumed int64 // bytes that an earlier process wrote

	mu    sync.Mutex
	done  []content.Span
	spans *os.File // nil until there is a span to write
}

const (
	SpansSuffix = ".spans"
	LockSuffix  = ".lock"
	// SpansHeader is the first line of the file of spans.
	SpansHeader = "ecrkit 1"
	// maxSpans bounds what is read: a blob of the largest size that Amazon ECR
	// takes has a tenth of it.
	maxSpans = 1 << 16
)

// Open opens or creates the partial file at path for a blob of size bytes.
// It waits while another process has it.
func Open(ctx context.Context, path string, size int64) (*File, error) {
	lock, err := lockfile.Acquire(ctx, path+LockSuffix)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, errors.Join(err, lock.Remove())
	}
	p := &File{File: f, path: path, size: size, lock: lock}
	p.done = p.readSpans()
	for _, s := range p.done {
		p.Resumed += s.Length
	}
	if p.Resumed == 0 {
		if err := p.Restart(); err != nil {
			return nil, errors.Join(err, p.Discard())
		}
	}
	return p, nil
}

// readSpans reads what an earlier process wrote; nil if that is not certain.
func (p *File) readSpans() []content.Span {
	f, err := os.Open(p.path + SpansSuffix)
	if err != nil {
		return nil
	}
	defer f.Close()
	spans, err := parseSpans(f)
	if err != nil {
		return nil
	}
	info, err := p.Stat()
	if err != nil {
		return nil
	}
	at := int64(0)
	for _, s := range spans {
		if s.First < at || s.End() > min(info.Size(), p.size) {
			return nil
		}
		at = s.End()
	}
	return spans
}

// parseSpans reads a file of spans and sorts them. A last line without its end,
// which was being written, does not count.
func parseSpans(r io.Reader) ([]content.Span, error) {
	lines := bufio.NewReader(io.LimitReader(r, maxSpans*40))
	header, err := lines.ReadString('\n')
	if err != nil || header != SpansHeader+"\n" {
		return nil, errors.New("not a file of spans")
	}
	var spans []content.Span
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		var s content.Span
		var rest string
		if n, _ := fmt.Sscanf(line, "%d %d%s", &s.First, &s.Length, &rest); n != 2 || s.First < 0 || s.Length <= 0 || s.End() < s.First {
			return nil, fmt.Errorf("not a span: %q", line)
		}
		spans = append(spans, s)
	}
	slices.SortFunc(spans, func(a, b content.Span) int { return cmp.Compare(a.First, b.First) })
	return spans, nil
}

// Done implements [content.PartialFile].
func (p *File) Done() []content.Span {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.done)
}

// AddDone implements [content.PartialFile].
func (p *File) AddDone(s content.Span) error {
	startWriteback(p.File, s.First, s.Length)
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Length == p.size {
		return nil // the blob is complete in a moment
	}
	if p.spans == nil {
		f, err := os.OpenFile(p.path+SpansSuffix, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
		if err != nil {
			return err
		}
		p.spans = f
		if len(p.done) == 0 {
			if _, err := fmt.Fprintln(f, SpansHeader); err != nil {
				return err
			}
		}
	}
	if _, err := fmt.Fprintln(p.spans, s.First, s.Length); err != nil {
		return err
	}
	p.done = append(p.done, s)
	return nil
}

// Restart forgets all that was written.
func (p *File) Restart() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.Resumed = nil, 0
	err := p.removeSpans()
	if err == nil {
		err = p.Truncate(0)
	}
	if err == nil {
		_, err = p.Seek(0, io.SeekStart)
	}
	return err
}

func (p *File) removeSpans() error {
	if p.spans != nil {
		p.spans.Close()
		p.spans = nil
	}
	if err := os.Remove(p.path + SpansSuffix); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// FillAgain has fill write the file, and a second time if what an earlier process
// wrote was wrong.
func (p *File) FillAgain(fill func(f content.PartialFile) error) error {
	err := fill(p)
	if errors.Is(err, content.ErrIntegrity) && p.Resumed > 0 {
		if err = p.Restart(); err == nil {
			err = fill(p)
		}
	}
	return err
}

// Finish ends the work on the file after it was filled, or not: it is published
// under its name, or left for a later process, or removed if it is wrong.
func (p *File) Finish(name string, err error) error {
	switch {
	case err == nil:
		return p.publish(name)
	case errors.Is(err, content.ErrIntegrity):
		return errors.Join(err, p.Discard())
	default:
		return errors.Join(err, p.leave())
	}
}

// publish gives the complete file, once it is on disk, its name.
func (p *File) publish(name string) error {
	err := p.Sync()
	if err == nil {
		err = p.Close()
	}
	if err == nil {
		err = os.Rename(p.path, name)
	}
	if err != nil {
		return errors.Join(err, p.leave())
	}
	return errors.Join(p.removeSpans(), p.lock.Remove())
}

// leave ends the work on the file after an error: a later process goes on with
// what has been written, if anything.
func (p *File) leave() error {
	if len(p.Done()) == 0 {
		return p.Discard()
	}
	p.Close()
	if p.spans != nil {
		p.spans.Close()
	}
	return p.lock.Release()
}

// Discard removes the file.
func (p *File) Discard() error {
	p.Close()
	return errors.Join(p.removeSpans(), os.Remove(p.path), p.lock.Remove())
}

// Remove removes a partial file unless a process has it.
func Remove(path string) error {
	lock, err := lockfile.Try(path + LockSuffix)
	if err != nil || lock == nil {
		return err
	}
	for _, name := range []string{path + SpansSuffix, path} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, lock.Release())
		}
	}
	return lock.Remove()
}
