package transfer

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Layout is an OCI image layout directory, as [Source] and as [Target]. It is a
// valid layout at any moment of a copy, also if the process dies: each file is
// written under another name and renamed when it is complete and verified, and
// index.json, which makes an image visible, comes last. Several processes may
// write to one directory.
type Layout struct {
	layoutReader
	dir string
}

var (
	_ Source = (*Layout)(nil)
	_ Target = (*Layout)(nil)
)

// tempPrefix begins the names of files that are not complete.
const tempPrefix = ".ecrkit-"

// NewLayout gives the layout in dir. Nothing is read or made yet: the first
// write makes the directory.
func NewLayout(dir string) *Layout {
	return &Layout{layoutReader{files: os.DirFS(dir), name: string(KindLayout) + ":" + dir}, dir}
}

// IsLayout tells whether dir is an OCI image layout.
func IsLayout(dir string) bool {
	return dir != "" && checkLayoutVersion(os.DirFS(dir)) == nil
}

// MissingBlobs reads each blob that is there, since a file with the right name
// may have wrong content; such a blob is missing.
func (l *Layout) MissingBlobs(ctx context.Context, blobs []Descriptor) ([]Descriptor, error) {
	var missing []Descriptor
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

func (l *Layout) has(ctx context.Context, d Descriptor) bool {
	f, err := openFile(l.files, blobPath(d.Digest), d.Size)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, newVerifier(ctx, f, d))
	return err == nil
}

// PutBlob stores a blob.
func (l *Layout) PutBlob(_ context.Context, d Descriptor, r io.Reader) error {
	if err := l.create(); err != nil {
		return err
	}
	err := l.write(blobPath(d.Digest), os.Rename, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: blob %s: %w", l, d.Digest, err)
	}
	return nil
}

// PutManifest stores a manifest as a blob.
func (l *Layout) PutManifest(ctx context.Context, m Manifest) error {
	return l.PutBlob(ctx, m.Descriptor, bytes.NewReader(m.Content))
}

// PutTagged stores a manifest and names it in index.json, in the place of any
// image that had the tag.
func (l *Layout) PutTagged(ctx context.Context, m Manifest, tag string) error {
	if err := l.PutManifest(ctx, m); err != nil {
		return err
	}
	// The file oci-layout serves as the lock: it is there and never replaced.
	lock := flock.New(filepath.Join(l.dir, ocispec.ImageLayoutFile))
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("%s: waiting for the lock on oci-layout: %w", l, err)
	}
	defer lock.Close()
	old, err := readFile(l.files, ocispec.ImageIndexFile, maxLayoutIndex)
	if err != nil {
		return fmt.Errorf("%s: %w", l, err)
	}
	updated, err := addToIndex(old, m.Descriptor, tag)
	if err != nil {
		return fmt.Errorf("%s: index.json: %w", l, err)
	}
	if err := l.writeBytes(ocispec.ImageIndexFile, os.Rename, updated); err != nil {
		return fmt.Errorf("%s: index.json: %w", l, err)
	}
	return nil
}

// addToIndex puts an entry into an index.json and keeps all else that is in it.
func addToIndex(data []byte, d Descriptor, tag string) ([]byte, error) {
	var index map[string]json.RawMessage
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIntegrity, err)
	}
	if index == nil {
		return nil, fmt.Errorf("%w: null", ErrIntegrity)
	}
	var entries []json.RawMessage
	if raw, ok := index["manifests"]; ok {
		if err := json.Unmarshal(raw, &entries); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrIntegrity, err)
		}
	}
	kept := make([]json.RawMessage, 0, len(entries)+1)
	for _, raw := range entries {
		var e Descriptor
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrIntegrity, err)
		}
		name := e.Annotations[ocispec.AnnotationRefName]
		if tag == "" && e.Digest == d.Digest {
			return data, nil // there already, under whatever name
		}
		if name == tag && tag != "" || name == "" && e.Digest == d.Digest {
			continue
		}
		kept = append(kept, raw)
	}
	entry := Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
	if tag != "" {
		entry.Annotations = map[string]string{ocispec.AnnotationRefName: tag}
	}
	raw, err := json.Marshal(entry)
	if err != nil {
		return nil, err
	}
	if index["manifests"], err = json.Marshal(append(kept, raw)); err != nil {
		return nil, err
	}
	return json.Marshal(index)
}

// create makes an empty layout unless there is one; the file oci-layout, which
// makes it one, comes last.
func (l *Layout) create() error {
	err := checkLayoutVersion(l.files)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return wrap(l, err)
	}
	if err := l.mayCreate(); err != nil {
		return wrap(l, err)
	}
	if err := os.MkdirAll(filepath.Join(l.dir, ocispec.ImageBlobsDir, "sha256"), 0o777); err != nil {
		return wrap(l, err)
	}
	empty := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[]}`, ocispec.MediaTypeImageIndex)
	if err := l.writeBytes(ocispec.ImageIndexFile, linkNew, []byte(empty)); err != nil {
		return wrap(l, err)
	}
	version := fmt.Sprintf(`{"imageLayoutVersion":%q}`, ocispec.ImageLayoutVersion)
	return wrap(l, l.writeBytes(ocispec.ImageLayoutFile, linkNew, []byte(version)))
}

// mayCreate refuses a directory that is used for something else.
func (l *Layout) mayCreate() error {
	entries, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if name != ocispec.ImageBlobsDir && name != ocispec.ImageIndexFile && name != ocispec.ImageLayoutFile && !strings.HasPrefix(name, tempPrefix) {
			return fmt.Errorf("the directory has other files (%s) and is no OCI layout; name a new or empty one", name)
		}
	}
	return nil
}

func (l *Layout) writeBytes(name string, publish func(temp, name string) error, data []byte) error {
	return l.write(name, publish, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// write fills a temporary file and, when it is complete and on disk, publishes it
// under its name. After an error nothing is left.
func (l *Layout) write(name string, publish func(temp, name string) error, fill func(io.Writer) error) (err error) {
	temp := filepath.Join(l.dir, tempPrefix+rand.Text())
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
	if err := fill(f); err != nil {
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
