package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// A set in one file is the layout in a tar, with the description right behind index.json: set.json, its sum
// in SHA256SUMS, and its signature. So it can be written to a stream and read from one. All that the
// description says is known before the first blob is fetched; the digest of the tar is not in it, as each
// byte of the tar follows from the description, its ID and the digests of the blobs.

// signatureRoom is the unit of the room for a signature, in bytes: a signature of another length leaves all
// blobs where they are, so that an export resumes.
const signatureRoom = 16 << 10

// embed adds the description to the plan.
func (p *plan) embed(ctx context.Context, opts ExportOptions) error {
	s := p.set()
	s.Head = p.head
	set, err := newWrittenFile(SetFile, s.encodeTo)
	if err != nil {
		return err
	}
	members := []*member{set, newFile(sumsFile, s.sums(set.digest))}
	if opts.Sign != nil {
		var data bytes.Buffer
		if err := s.encodeTo(&data); err != nil {
			return err
		}
		signature, err := opts.Sign(ctx, data.Bytes())
		if err != nil {
			return fmt.Errorf("the set is not signed, and not written: %w", err)
		}
		padding := signatureRoom - len(signature)%signatureRoom
		members = append(members, newFile(opts.signatureFile(), append(bytes.Clone(signature), bytes.Repeat([]byte("\n"), padding)...)))
	}
	p.members = slices.Insert(p.members, 2, members...)
	return p.place()
}

// ExportFile is [Export] into one file, without parts and parity. A regular file at path that is not this set is an
// error that wraps [content.ErrConflict].
func ExportFile(ctx context.Context, c mirror.Config, o mirror.Opener, path string, opts ExportOptions) (Set, error) {
	e, err := prepareOne(ctx, c, o, path, opts)
	if err != nil {
		return Set{}, err
	}
	defer e.close()
	dir, base := filepath.Dir(path), filepath.Base(path)
	hidden := filepath.Join(dir, files.TempPrefix+base)
	to := place{name: path, dir: dir, journal: hidden + ".journal", lock: hidden + ".lock", parts: []string{path}}
	already := func() (*Set, error) { return existingFile(ctx, path, e.plan, opts.signatureFile()) }
	s, err := already()
	switch {
	case err == nil && s == nil:
		if err := e.plan.embed(ctx, opts); err != nil {
			return Set{}, err
		}
		s, err = e.write(ctx, to, already, func(Set) error { return nil })
	case err == nil:
		err = to.tidy(ctx)
	}
	if err != nil {
		return Set{}, err
	}
	return *s, e.left.incomplete()
}

func prepareOne(ctx context.Context, c mirror.Config, o mirror.Opener, path string, opts ExportOptions) (*exporter, error) {
	if opts.PartSize != 0 || opts.Parity != 0 {
		return nil, fmt.Errorf("a set in one file has neither parts nor parity: %w", content.ErrUnsupported)
	}
	return prepare(ctx, c, o, path, opts)
}

// existingFile returns the set that is at path already, nil if there is no file.
func existingFile(ctx context.Context, path string, p *plan, signature string) (*Set, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	r, err := Open(path, ReadOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s exists, and is not this set: %w; name another file: %v", path, content.ErrConflict, err)
	}
	defer r.Close() // opened for reading
	if r.ID != p.id || r.signature != signature {
		return nil, fmt.Errorf("%s has another set: %w; name another file", path, content.ErrConflict)
	}
	s, err := Verify(ctx, path, ReadOptions{})
	if err != nil {
		return nil, fmt.Errorf("%w; remove it, or name another file", err)
	}
	digests, err := r.parts.Hash(ctx, nil)
	if err == nil {
		s.Parts = []SetPart{{Name: filepath.Base(path), Size: r.parts[0].Size, Digest: digests[0]}}
	}
	return &s, err
}
