package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/mirror/internal/journal"
	"github.com/ecrkit/ecrkit/mirror/internal/parts"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// partialSuffix ends the names of parts until the set is complete.
const partialSuffix = ".partial"

// place is where a set is written.
type place struct {
	name    string // for messages
	dir     string
	journal string
	lock    string
	parts   []string // paths, when they are complete
}

const (
	journalFile = files.TempPrefix + "export.journal"
	lockFile    = files.TempPrefix + "export.lock"
)

// journalTitle is the first line of the journal of a plan.
func journalTitle(id digest.Digest, partSize int64) string {
	return fmt.Sprintf("ecrkit mirror export %s %d", id, partSize)
}

// inDirectory is the place of a set in a directory.
func inDirectory(dir string, p *plan, partSize int64) place {
	to := place{name: dir, dir: dir, journal: filepath.Join(dir, journalFile), lock: filepath.Join(dir, lockFile)}
	sizes := parts.Split(p.size, partSize)
	for i := range sizes {
		to.parts = append(to.parts, filepath.Join(dir, partName(i, len(sizes))))
	}
	return to
}

// writer is a set that is being written, as the target of copies. All that may be copied to it is in its
// plan.
type writer struct {
	place    place
	plan     *plan
	partSize int64
	parts    parts.Parts
	flusher  parts.Flusher
	journal  *journal.Journal
	lock     *files.Lock
	finished *Set // by another process, while this one waited for the lock
}

var (
	_ content.Target     = (*writer)(nil)
	_ content.FileWriter = (*writer)(nil)
)

// openWriter begins a set, or resumes the one that a killed process has left there. existing returns the set if it is complete; another
// process may have written it until there is the lock.
func openWriter(ctx context.Context, to place, p *plan, partSize int64, existing func() (*Set, error)) (*writer, error) {
	if err := os.MkdirAll(to.dir, 0o777); err != nil {
		return nil, err
	}
	w := &writer{place: to, plan: p, partSize: partSize}
	if err := w.open(ctx, existing); err != nil {
		_ = w.Close() // the first error counts
		return nil, room(to.name, err)
	}
	return w, nil
}

func (w *writer) open(ctx context.Context, existing func() (*Set, error)) (err error) {
	if w.lock, err = files.Acquire(ctx, w.place.lock); err != nil {
		return err
	}
	if w.finished, err = existing(); err != nil || w.finished != nil {
		return err
	}
	if w.journal, err = journal.Open(w.place.journal, journalTitle(w.plan.id, w.partSize)); err != nil {
		return err
	}
	begins := w.journal.IsEmpty()
	if begins {
		if err := w.place.removePartial(); err != nil {
			return err
		}
	}
	if err := w.checkRoom(files.Free); err != nil {
		if begins {
			err = errors.Join(err, w.done()) // there is nothing to resume
		}
		return err
	}
	first := int64(0)
	for i, size := range parts.Split(w.plan.size, w.partSize) {
		partial := w.place.parts[i] + partialSuffix
		if w.journal.HasDone() {
			if err := unseal(w.place.parts[i], partial, size); err != nil {
				return err
			}
		}
		f, err := files.OpenOwn(partial, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return err
		}
		w.parts = append(w.parts, parts.Part{File: f, First: first, Size: size})
		if err := f.Truncate(size); err != nil {
			return err
		}
		first += size
	}
	for _, m := range w.plan.members {
		head, err := m.head()
		if err != nil {
			return err
		}
		if _, err := w.parts.WriteAt(head, m.at); err != nil {
			return err
		}
		if m.file == nil {
			continue
		}
		if err := m.file.write(io.NewOffsetWriter(w.parts, m.first())); err != nil {
			return err
		}
	}
	return nil
}

// unseal makes a part partial again: an export that was killed while it sealed the set had named it already.
func unseal(path, partial string, size int64) error {
	if _, err := os.Lstat(partial); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() != size) {
		return nil
	}
	if err != nil {
		return err
	}
	return files.Rename(path, partial)
}

// removePartial removes the parts that a killed export of another plan has left, of which there may be more than now: their
// bytes would stay in the padding, and they take room.
func (to place) removePartial() error {
	entries, err := os.ReadDir(to.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name, partial := strings.CutSuffix(entry.Name(), partialSuffix)
		number, numbered := strings.CutPrefix(name, tarFile+".")
		mine := name == filepath.Base(to.parts[0]) || to.name == to.dir && (name == tarFile || numbered && strings.Trim(number, "0123456789") == "")
		if !partial || !mine || !entry.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(to.dir, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// tidy removes what an export that was killed after its last write has left beside a complete set.
func (to place) tidy(ctx context.Context) error {
	left := func(path string) bool { _, err := os.Lstat(path); return err == nil }
	if !left(to.journal) && !left(to.lock) {
		return nil
	}
	lock, err := files.Acquire(ctx, to.lock)
	if files.IsReadOnly(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Remove()
	if err := os.Remove(to.journal); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// existing returns the set that dir has already, nil if it has none; one of another plan is an error that
// wraps [content.ErrConflict], and one of which a file is missing or has another size one that wraps [content.ErrIntegrity].
func existing(dir string, p *plan, partSize int64) (*Set, error) {
	s, err := ReadSet(dir)
	if errors.Is(err, ErrNoSet) && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrInterrupted)) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if s.ID != p.id || len(s.Parts) != len(parts.Split(p.size, partSize)) {
		return nil, fmt.Errorf("%s has another set: %w; name an empty directory", dir, content.ErrConflict)
	}
	if err := s.checkSizes(dir); err != nil {
		return nil, fmt.Errorf("%s has this set already, and it is damaged: %w; name an empty directory, where its files become the same", dir, err)
	}
	return &s, nil
}

// checkSizes returns which file of a set in a directory is missing or has another size.
func (s Set) checkSizes(dir string) error {
	for _, p := range s.Files() {
		info, err := os.Stat(filepath.Join(dir, p.Name))
		if err != nil {
			return fmt.Errorf("%s: %w: %w", p.Name, content.ErrIntegrity, err)
		}
		if info.Size() != p.Size {
			return fmt.Errorf("%s: %w: it has %d bytes, not %d", p.Name, content.ErrIntegrity, info.Size(), p.Size)
		}
	}
	return nil
}

// String is the directory or the file.
func (w *writer) String() string { return w.place.name }

// Close leaves what was written for a later process.
func (w *writer) Close() error {
	_ = w.flusher.Wait() // seal reports its error
	errs := []error{w.parts.Close()}
	w.parts = nil
	if w.journal != nil {
		errs = append(errs, w.journal.Close())
	}
	if w.lock != nil {
		w.lock.Remove()
	}
	return errors.Join(errs...)
}

func (w *writer) member(d content.Descriptor) (*member, error) {
	m := w.plan.blobs[d.Digest]
	if m == nil || m.size != d.Size {
		return nil, fmt.Errorf("%s: %w: %s, of %d bytes, is not in the plan of the set", w.place.name, content.ErrConflict, d.Digest, d.Size)
	}
	return m, nil
}

// MissingBlobs returns the blobs that were not written completely, each only once: of the images that share it, the first one
// brings it, and if that fails, so does the export. Those that are left out are not missing.
func (w *writer) MissingBlobs(_ context.Context, blobs []content.Descriptor) ([]content.Descriptor, error) {
	return slices.DeleteFunc(slices.Clone(blobs), func(d content.Descriptor) bool { return w.plan.blobs[d.Digest] == nil || !w.journal.Claim(d.Digest) }), nil
}

// PutBlob writes a blob to its place.
func (w *writer) PutBlob(_ context.Context, d content.Descriptor, r io.Reader) error {
	m, err := w.member(d)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.NewOffsetWriter(w.parts, m.first()), io.LimitReader(r, m.size))
	if err == nil && n == m.size {
		_, err = io.Copy(io.Discard, r) // at its end it is verified
	}
	if err == nil && n != m.size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("blob %s: %w", d.Digest, err)
	}
	return w.finish(m)
}

// finish notes that a blob is complete.
func (w *writer) finish(m *member) error {
	w.flusher.Wrote(w.parts, m.at, m.end())
	return w.journal.Finish(m.digest)
}

// PutBlobFile has fill write a blob to its place. What an earlier process has written of it is used; if
// that turns out to be wrong, the blob is written again.
func (w *writer) PutBlobFile(_ context.Context, d content.Descriptor, fill func(f content.PartialFile) error) error {
	m, err := w.member(d)
	if err != nil {
		return err
	}
	r := &region{w: w, digest: d.Digest, first: m.first(), size: m.size}
	err = fill(r)
	if errors.Is(err, content.ErrIntegrity) && len(r.Done()) > 0 {
		w.journal.Forget(d.Digest)
		err = fill(r)
	}
	if err != nil {
		return err
	}
	return w.finish(m)
}

// PutManifest writes a manifest to its place.
func (w *writer) PutManifest(_ context.Context, m content.Manifest) error {
	at, err := w.member(m.Descriptor)
	if err != nil {
		return err
	}
	_, err = w.parts.WriteAt(m.Content, at.first())
	return err
}

// PutTagged writes a manifest; index.json has all tags from the beginning.
func (w *writer) PutTagged(ctx context.Context, m content.Manifest, _ string) error {
	return w.PutManifest(ctx, m)
}

// region is the place of a blob.
type region struct {
	w           *writer
	digest      digest.Digest
	first, size int64
}

// ReadAt reads no byte of what is behind the blob.
func (r *region) ReadAt(p []byte, offset int64) (int, error) {
	if offset >= r.size {
		return 0, io.EOF
	}
	short := int64(len(p)) > r.size-offset
	if short {
		p = p[:r.size-offset]
	}
	n, err := r.w.parts.ReadAt(p, r.first+offset)
	if err == nil && short {
		err = io.EOF
	}
	return n, err
}

// WriteAt writes no byte behind the blob.
func (r *region) WriteAt(p []byte, offset int64) (int, error) {
	if offset < 0 || int64(len(p)) > r.size-offset {
		return 0, fmt.Errorf("%w: blob %s has more than %d bytes", content.ErrIntegrity, r.digest, r.size)
	}
	return r.w.parts.WriteAt(p, r.first+offset)
}

// Done returns the spans that were written.
func (r *region) Done() []content.Span { return r.w.journal.Spans(r.digest, r.size) }

// AddDone notes a span.
func (r *region) AddDone(s content.Span) error {
	if s.Length == r.size {
		return nil // the blob is complete in a moment
	}
	return r.w.journal.AddSpan(r.digest, s)
}
