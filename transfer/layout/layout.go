package layout

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
	"github.com/ecrkit/ecrkit/transfer/internal/partial"
)

// Layout is an OCI image layout directory, as [Source] and as [Target]. It is a
// valid layout at any moment of a copy, also if the process dies: each file is
// written under another name and renamed when it is complete and verified, and
// index.json, which makes an image visible, comes last. Several processes may
// write to one directory.
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

// New gives the layout in dir. Nothing is read or made yet: the first
// write makes the directory.
func New(dir string) *Layout {
	return &Layout{Reader{files: os.DirFS(dir), name: "oci:" + dir}, dir}
}

// NewNamed is NewLayout with another name in messages.
func NewNamed(dir, name string) *Layout {
	l := New(dir)
	l.name = name
	return l
}

// NewReader returns a reader of the layout whose files are in files; name is
// what messages call it.
func NewReader(files fs.FS, name string) Reader {
	return Reader{files: files, name: name}
}

// Is tells whether dir is an OCI image layout.
func Is(dir string) bool {
	return dir != "" && CheckVersion(os.DirFS(dir)) == nil
}

// Dir returns the directory of the layout.
func (l *Layout) Dir() string { return l.dir }

// MissingBlobs reads each blob that is there, since a file with the right name
// may have wrong content; such a blob is missing.
func (l Reader) MissingBlobs(ctx context.Context, blobs []content.Descriptor) ([]content.Descriptor, error) {
	var missing []content.Descriptor
	for _, d := range blobs {
		if err := ctx.Err(); err != nil {
			return nil, err
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
	if err := l.create(); err != nil {
		return err
	}
	p, err := partial.Open(ctx, filepath.Join(l.dir, partial.Name(d.Digest)), d.Size)
	if err != nil {
		return err
	}
	name := filepath.Join(l.dir, filepath.FromSlash(BlobPath(d.Digest)))
	if _, err := os.Stat(name); err == nil && l.has(ctx, d) {
		return p.Discard() // another process was faster
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
func (l *Layout) create() error {
	err := l.createOnce()
	if errors.Is(err, fs.ErrNotExist) {
		// Another process has made it at the same time and swept our temporary
		// file away.
		err = l.createOnce()
	}
	return wrap(l, err)
}

// createOnce writes the file oci-layout, which makes a directory a layout, last.
func (l *Layout) createOnce() error {
	err := CheckVersion(l.files)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := l.mayCreate(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(l.dir, ocispec.ImageBlobsDir, "sha256"), 0o777); err != nil {
		return err
	}
	empty := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[]}`, ocispec.MediaTypeImageIndex)
	if err := l.write(ocispec.ImageIndexFile, linkNew, []byte(empty)); err != nil {
		return err
	}
	version := fmt.Sprintf(`{"imageLayoutVersion":%q}`, ocispec.ImageLayoutVersion)
	return l.write(ocispec.ImageLayoutFile, linkNew, []byte(version))
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
			return fmt.Errorf("the directory has other files (%s) and is no OCI layout; name a new or empty one", name)
		}
	}
	return nil
}

// write writes a temporary file and, when it is on disk, publishes it under its
// name. After an error nothing is left.
func (l *Layout) write(name string, publish func(temp, name string) error, data []byte) (err error) {
	temp := filepath.Join(l.dir, partial.Prefix+rand.Text())
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(temp)
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return publish(temp, filepath.Join(l.dir, filepath.FromSlash(name)))
}

// linkNew publishes a file unless there is one of that name: of two processes
// that create a layout at once, the second must not replace what the first wrote.
func linkNew(temp, name string) error {
	err := os.Link(temp, name)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return os.Rename(temp, name) // a file system without hard links
	}
	return os.Remove(temp)
}

// wrap names the layout in an error.
func wrap(l *Layout, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", l, err)
}
