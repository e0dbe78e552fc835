package layout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
	"github.com/ecrkit/ecrkit/transfer/internal/partial"
)

// Layout is an OCI image layout directory, as [content.Source] and as [content.Target]. It is a
// valid layout at any moment of a copy, also if the process dies: each file is
// written under another name and renamed when it is complete and verified, and
// index.json, which makes an image visible, comes last. Several processes may
// write to one directory. It has all methods of [Reader].
type Layout struct {
	reader
	dir string
}

// reader keeps the embedded field from being part of the API.
type reader = Reader

var (
	_ content.Source = (*Layout)(nil)
	_ content.Target = (*Layout)(nil)

	_ content.FileReader = (*Layout)(nil)
	_ content.FileWriter = (*Layout)(nil)
)

// New returns the layout in dir. Nothing is read or made yet: the first
// write makes the directory.
func New(dir string) *Layout {
	return &Layout{Reader{files: os.DirFS(dir), dir: dir, name: "oci:" + dir, last: new(lastIndex)}, dir}
}

// NewNamed is New with another name in messages.
func NewNamed(dir, name string) *Layout {
	l := New(dir)
	l.name = name
	return l
}

// NewReader returns a reader of the layout whose files are in files; name is
// what messages call it.
func NewReader(files fs.FS, name string) Reader {
	return Reader{files: files, name: name, last: new(lastIndex)}
}

// Is reports whether dir is an OCI image layout.
func Is(dir string) bool {
	return dir != "" && CheckVersion(os.DirFS(dir)) == nil
}

// Dir returns the directory of the layout.
func (l *Layout) Dir() string { return l.dir }

// MissingBlobs reads each existing blob, since a file with the right name
// may have wrong content; such a blob is missing.
func (l Reader) MissingBlobs(ctx context.Context, blobs []content.Descriptor) ([]content.Descriptor, error) {
	var missing []content.Descriptor
	for _, d := range blobs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := content.CheckDescriptor(d); err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		if !l.has(ctx, d) {
			missing = append(missing, d)
		}
	}
	return missing, nil
}

func (l Reader) has(ctx context.Context, d content.Descriptor) bool {
	f, err := imagefs.OpenFile(l.files, BlobPath(d.Digest), d.Size)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, content.NewVerifyingReader(ctx, f, d))
	return err == nil
}

// MissingBlobs is [Reader.MissingBlobs]; it refuses a directory in which no layout can be made.
func (l *Layout) MissingBlobs(ctx context.Context, blobs []content.Descriptor) ([]content.Descriptor, error) {
	if err := CheckVersion(l.files); errors.Is(err, fs.ErrNotExist) {
		if err := l.mayCreate(); err != nil {
			return nil, wrap(l, err)
		}
	}
	return l.reader.MissingBlobs(ctx, blobs)
}

// PutBlob stores a blob.
func (l *Layout) PutBlob(ctx context.Context, d content.Descriptor, r io.Reader) error {
	return l.putFile(ctx, d, func(p *partial.File) error {
		if err := p.Restart(); err != nil {
			return err
		}
		_, err := io.Copy(p, r)
		return err
	})
}

// PutBlobFile stores a blob that may be written in any order and by several
// processes one after the other.
func (l *Layout) PutBlobFile(ctx context.Context, d content.Descriptor, fill func(f content.PartialFile) error) error {
	return l.putFile(ctx, d, func(p *partial.File) error { return p.FillAgain(fill) })
}

// putFile has fill write the file of a blob.
func (l *Layout) putFile(ctx context.Context, d content.Descriptor, fill func(p *partial.File) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: blob %s: %w", l, d.Digest, err)
		}
	}()
	if err := content.CheckDescriptor(d); err != nil {
		return err
	}
	if err := l.create(ctx); err != nil {
		return err
	}
	p, err := partial.Open(ctx, filepath.Join(l.dir, partial.Name(d.Digest)), d.Size)
	if err != nil {
		return err
	}
	name := filepath.Join(l.dir, filepath.FromSlash(BlobPath(d.Digest)))
	if _, err := os.Stat(name); err == nil && l.has(ctx, d) {
		p.Discard() // another process was faster
		return nil
	}
	return p.Finish(name, fill(p))
}

// PutManifest stores a manifest as a blob. One that refers to another is named in
// index.json too, without a tag: only there is it found again.
func (l *Layout) PutManifest(ctx context.Context, m content.Manifest) error {
	_, subject, err := content.ReferrerOf(m)
	if err != nil {
		return fmt.Errorf("%s: manifest %s: %w", l, m.Descriptor.Digest, err)
	}
	if subject != "" {
		return l.PutTagged(ctx, m, "")
	}
	return l.putManifest(ctx, m)
}

func (l *Layout) putManifest(ctx context.Context, m content.Manifest) error {
	return l.PutBlob(ctx, m.Descriptor, bytes.NewReader(m.Content))
}

// create makes an empty layout unless there is one.
func (l *Layout) create(ctx context.Context) error {
	err := CheckVersion(l.files)
	if err == nil || !errors.Is(err, fs.ErrNotExist) && !files.MayPass(err) { // another may be making it
		return wrap(l, l.explain(err))
	}
	if err := l.mayCreate(); err != nil {
		return wrap(l, err)
	}
	if err := os.MkdirAll(filepath.Join(l.dir, ocispec.ImageBlobsDir, "sha256"), 0o777); err != nil {
		return wrap(l, err)
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	empty := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[]}`, ocispec.MediaTypeImageIndex)
	if err := l.writeNew(ocispec.ImageIndexFile, empty); err != nil {
		return wrap(l, err)
	}
	// This file makes the directory a layout.
	version := fmt.Sprintf(`{"imageLayoutVersion":%q}`, ocispec.ImageLayoutVersion)
	if err := l.writeNew(ocispec.ImageLayoutFile, version); err != nil {
		return wrap(l, err)
	}
	// A link of that name that leads nowhere is left alone, and makes no layout.
	return wrap(l, CheckVersion(l.files))
}

// writeNew writes a file unless there is one of that name.
func (l *Layout) writeNew(name, text string) error {
	f, err := files.Create(filepath.Join(l.dir, name), 0o666)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if err := f.CommitNew(); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// mayCreate refuses a directory that is used for something else.
func (l *Layout) mayCreate() error {
	entries, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if name != ocispec.ImageBlobsDir && name != ocispec.ImageIndexFile && name != ocispec.ImageLayoutFile && !strings.HasPrefix(name, partial.Prefix) {
			return fmt.Errorf("%w: the directory %s has other files (%s) and is not an OCI layout; name a new or empty one", content.ErrConflict, l.dir, name)
		}
	}
	return nil
}

// wrap names the layout in an error.
func wrap(l *Layout, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", l, err)
}
