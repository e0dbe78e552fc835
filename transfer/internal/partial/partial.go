// Package partial is the file of a blob that is being written, in any order and by several processes one after the other.
package partial

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Prefix begins the names of files that are not complete.
const Prefix = files.TempPrefix

// Name is the name of the file that is to become a blob.
func Name(d digest.Digest) string { return Prefix + d.Encoded() }

// File is a file that gets the content of one blob, and that a later process can
// resume: beside the content is a file of what has been written, as lines of first
// byte and length, and a lock. What they say is a hint: the digest decides whether the
// blob is right.
type File struct {
	*os.File
	path    string
	size    int64
	lock    *files.Lock
	random  bool  // nobody will find the file again
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

// Open opens or creates the partial file at path for a blob of size bytes. It waits
// while another process has it. If somebody else has put something under one of its
// names, which may lead elsewhere, that is left alone: the file gets a random name and
// cannot be resumed.
func Open(ctx context.Context, path string, size int64) (*File, error) {
	p, err := open(ctx, path, size)
	if !errors.Is(err, files.ErrUntrusted) {
		return p, err
	}
	if p, err = open(ctx, path+"."+rand.Text(), size); err == nil {
		p.random = true
	}
	return p, err
}

func open(ctx context.Context, path string, size int64) (*File, error) {
	lock, err := files.Acquire(ctx, path+LockSuffix)
	if err != nil {
		return nil, err
	}
	done, err := readSpans(path + SpansSuffix)
	if err != nil {
		lock.Remove()
		return nil, err
	}
	f, err := files.OpenOwn(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		lock.Remove()
		return nil, err
	}
	p := &File{File: f, path: path, size: size, lock: lock}
	if p.canHave(done) {
		p.done = done
	}
	for _, s := range p.done {
		p.Resumed += s.Length
	}
	if p.Resumed == 0 {
		if err := p.Restart(); err != nil {
			p.Discard()
			return nil, err
		}
	}
	return p, nil
}

// readSpans reads what an earlier process wrote; nothing if that is not certain. The
// error wraps [files.ErrUntrusted].
func readSpans(path string) ([]content.Span, error) {
	f, err := files.OpenOwn(path, os.O_RDONLY, 0)
	if errors.Is(err, files.ErrUntrusted) {
		return nil, err
	}
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	spans, _ := parseSpans(f)
	return spans, nil
}

// canHave reports whether the file can have these parts of the blob, which are sorted.
func (p *File) canHave(spans []content.Span) bool {
	info, err := p.Stat()
	if err != nil || info.Size() > p.size {
		return false
	}
	at := int64(0)
	for _, s := range spans {
		if s.First < at || s.End() > info.Size() {
			return false
		}
		at = s.End()
	}
	return true
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
		if err := p.openSpans(); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(p.spans, s.First, s.Length); err != nil {
		return err
	}
	p.done = append(p.done, s)
	return nil
}

// openSpans writes what is known in the place of what is there, which may end in the
// half of a line, and opens the file for more.
func (p *File) openSpans() error {
	var text bytes.Buffer
	fmt.Fprintln(&text, SpansHeader)
	for _, s := range p.done {
		fmt.Fprintln(&text, s.First, s.Length)
	}
	name := p.path + SpansSuffix
	if err := files.WriteFileUnsynced(name, text.Bytes(), 0o666); err != nil {
		return err
	}
	f, err := files.OpenOwn(name, os.O_WRONLY|os.O_APPEND, 0)
	p.spans = f
	return err
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
		p.Discard()
	default:
		p.leave()
	}
	return err
}

// publish renames the complete file, once it is on disk, to its name. What cannot be
// removed afterwards is swept later.
func (p *File) publish(name string) error {
	if err := files.Publish(p.File, name); err != nil {
		p.leave()
		return err
	}
	_ = p.removeSpans()
	p.lock.Remove()
	return nil
}

// leave ends the work on the file after an error: a later process resumes it if
// anything has been written.
func (p *File) leave() {
	if p.random || len(p.Done()) == 0 {
		p.Discard()
		return
	}
	p.Close()
	if p.spans != nil {
		p.spans.Close()
	}
	p.lock.Release()
}

// Discard removes the file. What cannot be removed is swept later.
func (p *File) Discard() {
	p.Close()
	_ = p.removeSpans()
	_ = os.Remove(p.path)
	p.lock.Remove()
}

// Digest returns the digest of the blob to which a file belongs that [Open] makes, by
// its name.
func Digest(name string) (digest.Digest, bool) {
	encoded, ok := strings.CutPrefix(name, Prefix)
	encoded, _, _ = strings.Cut(encoded, ".")
	return digest.NewDigestFromEncoded(digest.SHA256, encoded), ok && digest.SHA256.Validate(encoded) == nil
}

// Sweep removes the partial file to which the file at path belongs, unless a process
// has it or something else is in its place.
func Sweep(path string) {
	path = strings.TrimSuffix(strings.TrimSuffix(path, LockSuffix), SpansSuffix)
	lock, err := files.Try(path + LockSuffix)
	if err != nil {
		return
	}
	_ = os.Remove(path + SpansSuffix)
	_ = os.Remove(path)
	lock.Remove()
}
