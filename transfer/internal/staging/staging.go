// Package staging puts an image together in a directory until it is written as one tar.
package staging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/compress"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
	"github.com/ecrkit/ecrkit/transfer/internal/partial"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// Staging is the part of a [content.Target] that collects an image in a directory until
// it is committed as one tar. For a file the directory is beside it and named
// after it, so that a later process resumes what a killed one has left.
type Staging struct {
	Name    string // of the target, in messages
	path    string // of the file; "" if there is none
	stream  io.Writer
	tempDir string
	Check   func(old *tarball.Image) error // whether the file may be replaced; nil if it does not exist

	mu        sync.Mutex
	begun     bool
	layout    *layout.Layout
	dir       string // of layout
	ownDir    bool   // nobody will find dir again
	streamed  bool   // the stream has its tar
	lock      *files.Lock
	Old       *tarball.Image // what the file is before
	mode      os.FileMode
	manifests []content.Manifest       // each once, what they name before them
	Tagged    []content.TaggedManifest // with a tag or none
}

// Target is what a [Staging] has of the contract. Targets that embed it show nothing else of that.
type Target interface {
	content.Target
	content.FileWriter
	content.TagFinder
	content.TagReader
	content.LockedFileTarget
	io.Closer
}

var _ Target = (*Staging)(nil)

// New returns a staging for the file at path; messages call it name. The image is put together beside the file.
func New(name, path string) *Staging { return &Staging{Name: name, path: path} }

// NewStream returns a staging for a tar that goes to w, nil if its caller writes the tar. The image is put
// together in a directory in tempDir; "" is os.TempDir.
func NewStream(name string, w io.Writer, tempDir string) *Staging {
	return &Staging{Name: name, stream: w, tempDir: tempDir}
}

// String names the target.
func (s *Staging) String() string { return s.Name }

// Path implements [content.LockedFileTarget].
func (s *Staging) Path() string { return s.path }

// Begin makes the directory and waits for another process that writes the same
// file.
func (s *Staging) Begin(ctx context.Context) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun {
		return nil
	}
	if s.streamed {
		return fmt.Errorf("%s: %w: a stream takes one image, and has one", s.Name, content.ErrConflict)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", s.Name, err), s.free())
		}
	}()
	if s.path == "" {
		dir, err := os.MkdirTemp(s.tempDir, "ecrkit-")
		if err != nil {
			return err
		}
		s.ownDir = true
		s.layout = s.newLayout(dir)
		s.begun = true
		return nil
	}
	if _, err := os.Stat(filepath.Dir(s.path)); err != nil {
		return err
	}
	if s.lock, err = files.Acquire(ctx, s.stagingPath()+partial.LockSuffix); err != nil {
		return err
	}
	if err := s.openOld(); err != nil {
		return err
	}
	dir, err := s.openDir()
	if err != nil {
		return err
	}
	s.layout = s.newLayout(dir)
	s.begun = true
	return nil
}

// openDir makes the directory beside the file, or takes the one that a killed process
// has left. If others can change what is in it, it is left alone: the image is put
// together in a new one, which no later process finds.
func (s *Staging) openDir() (string, error) {
	dir := s.stagingPath()
	err := files.PrivateDir(dir)
	for _, inside := range []string{ocispec.ImageBlobsDir, path.Dir(layout.BlobPath(digest.FromString("")))} {
		if err != nil {
			break
		}
		// Links would lead out of it.
		info, statErr := os.Lstat(filepath.Join(dir, filepath.FromSlash(inside)))
		if statErr == nil && !info.IsDir() {
			err = fmt.Errorf("%s in %s: %w", inside, dir, files.ErrUntrusted)
		}
	}
	if !errors.Is(err, files.ErrUntrusted) {
		return dir, err
	}
	s.ownDir = true
	return os.MkdirTemp(filepath.Dir(s.path), files.TempPrefix)
}

// newLayout is a layout that has the name of the target in messages.
func (s *Staging) newLayout(dir string) *layout.Layout {
	s.dir = dir
	return layout.NewNamed(dir, s.Name)
}

// stagingPath is where the image is put together.
func (s *Staging) stagingPath() string {
	dir, file := filepath.Split(s.path)
	return dir + partial.Prefix + file
}

// openOld opens the existing file.
func (s *Staging) openOld() error {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it exists and is not a file; name another one", content.ErrConflict)
	case info.Size() == 0:
		return nil // as mktemp makes it
	}
	s.mode = info.Mode().Perm()
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	watched := files.Watch(f)
	if s.Old, err = tarball.New(watched, watched); err != nil {
		// The reason is not wrapped: nothing is wrong with the image.
		return fmt.Errorf("%w: the file exists and would be lost, since nothing can be added to it (%v); name another file, or remove it", content.ErrConflict, err)
	}
	return s.Check(s.Old)
}

// MissingBlobs returns the blobs that are neither in the directory nor in the file.
func (s *Staging) MissingBlobs(ctx context.Context, blobs []content.Descriptor) ([]content.Descriptor, error) {
	if err := s.Begin(ctx); err != nil {
		return nil, err
	}
	missing, err := s.layout.MissingBlobs(ctx, blobs)
	if err != nil || s.Old == nil {
		return missing, err
	}
	return layout.NewReader(s.Old.Files, s.Name).MissingBlobs(ctx, missing)
}

// TagDigests implements [content.TagReader].
func (s *Staging) TagDigests(ctx context.Context, tags []string) (map[string]digest.Digest, error) {
	if err := s.Begin(ctx); err != nil || s.Old == nil {
		return nil, err
	}
	return layout.NewReader(s.Old.Files, s.Name).TagDigests(ctx, tags)
}

// FindTags returns what the tags name in the file that is there.
func (s *Staging) FindTags(ctx context.Context, tags []string) (map[string]content.Manifest, error) {
	if err := s.Begin(ctx); err != nil || s.Old == nil {
		return nil, err
	}
	return layout.NewReader(s.Old.Files, s.Name).FindTags(ctx, tags)
}

// Referrers are the manifests without a tag that refer to another, in the order of
// their digests.
func (s *Staging) Referrers() ([]content.Manifest, error) {
	var found []content.Manifest
	for _, m := range s.manifests {
		_, subject, err := content.ReferrerOf(m)
		if err != nil {
			return nil, err
		}
		isTagged := func(other content.TaggedManifest) bool { return other.Descriptor.Digest == m.Descriptor.Digest }
		if subject != "" && !slices.ContainsFunc(s.Tagged, isTagged) {
			found = append(found, m)
		}
	}
	slices.SortFunc(found, func(a, b content.Manifest) int {
		return strings.Compare(string(a.Descriptor.Digest), string(b.Descriptor.Digest))
	})
	return found, nil
}

// PutBlob stores a blob in the directory.
func (s *Staging) PutBlob(ctx context.Context, d content.Descriptor, r io.Reader) error {
	if err := s.Begin(ctx); err != nil {
		return err
	}
	return s.layout.PutBlob(ctx, d, r)
}

// PutBlobFile stores a blob in the directory.
func (s *Staging) PutBlobFile(ctx context.Context, d content.Descriptor, fill func(f content.PartialFile) error) error {
	if err := s.Begin(ctx); err != nil {
		return err
	}
	return s.layout.PutBlobFile(ctx, d, fill)
}

// PutManifest notes a manifest.
func (s *Staging) PutManifest(ctx context.Context, m content.Manifest) error {
	if err := s.Begin(ctx); err != nil {
		return err
	}
	if err := s.layout.PutManifest(ctx, m); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.manifests, func(n content.Manifest) bool { return n.Descriptor.Digest == m.Descriptor.Digest }) {
		s.manifests = append(s.manifests, m)
	}
	return nil
}

// PutTagged notes the image itself.
func (s *Staging) PutTagged(ctx context.Context, m content.Manifest, tag string) error {
	if err := s.PutManifest(ctx, m); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Tagged = append(s.Tagged, content.TaggedManifest{Manifest: m, Tag: tag})
	slices.SortFunc(s.Tagged, func(a, b content.TaggedManifest) int { return strings.Compare(a.Tag, b.Tag) })
	return nil
}

// Blobs are all blobs and manifests of what was put, from the directory or the file.
func (s *Staging) Blobs(ctx context.Context) (map[digest.Digest]tarball.Member, error) {
	members := map[digest.Digest]tarball.Member{}
	for _, m := range s.manifests {
		c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
		if err != nil {
			return nil, err
		}
		for _, d := range append(c.Blobs, m.Descriptor) {
			if content.IsForeign(d.MediaType) && !s.has(d) {
				continue // it was left out
			}
			members[d.Digest] = tarball.Member{Name: layout.BlobPath(d.Digest), Size: d.Size, Open: func() (io.ReadCloser, error) {
				f, err := imagefs.OpenFile(os.DirFS(s.dir), layout.BlobPath(d.Digest), d.Size)
				if err != nil && s.Old != nil {
					f, err = imagefs.OpenFile(s.Old.Files, layout.BlobPath(d.Digest), d.Size)
				}
				if err != nil {
					return nil, err
				}
				// Both were checked before, but others may write to the file meanwhile.
				return verifiedFile{content.NewVerifyingReader(ctx, f, d), f}, nil
			}}
		}
	}
	return members, nil
}

// has reports whether the bytes of a blob are in the directory or the file.
func (s *Staging) has(d content.Descriptor) bool {
	f, err := imagefs.OpenFile(os.DirFS(s.dir), layout.BlobPath(d.Digest), d.Size)
	if err != nil && s.Old != nil {
		f, err = imagefs.OpenFile(s.Old.Files, layout.BlobPath(d.Digest), d.Size)
	}
	if err != nil {
		return false
	}
	_ = f.Close() // opened for reading
	return true
}

// verifiedFile is an open file whose content is checked while it is read.
type verifiedFile struct {
	io.Reader
	io.Closer
}

// Write writes the tar to where it belongs. Afterwards nothing else is left.
func (s *Staging) Write(ctx context.Context, members []tarball.Member) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", s.Name, err)
		}
	}()
	if s.path == "" {
		if err := tarball.Write(ctx, s.stream, members); err != nil {
			return err
		}
		s.streamed = true
		return s.Reset()
	}
	// In the directory, which others cannot write to, and which is swept.
	f, err := files.CreateAs(filepath.Join(s.dir, tarName), s.path, 0o666)
	if err != nil {
		return err
	}
	defer f.Discard()
	if err := tarball.Write(ctx, f, members); err != nil {
		return err
	}
	if s.mode != 0 {
		if err := f.Chmod(s.mode); err != nil {
			return err
		}
	}
	if s.Old != nil {
		s.Old.Close() // so that it can be replaced on every system
		s.Old = nil
	}
	if err := f.Commit(); err != nil {
		return err
	}
	_ = files.RemoveAll(s.dir) // if this fails, the next process takes it up
	return s.Reset()
}

// Reset forgets what was put and frees the file: the next copy to this target begins as if
// it were the first.
func (s *Staging) Reset() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manifests, s.Tagged = nil, nil
	return s.free()
}

// tarName is the tar in the directory until it is complete.
const tarName = files.TempPrefix + "tar"

// Close frees the file for other processes. Of an image that was not committed
// what belongs to a file is left, for a later process; the rest is removed.
func (s *Staging) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free()
}

func (s *Staging) free() error {
	var err error
	s.begun = false
	if s.Old != nil {
		err = s.Old.Close()
		s.Old = nil
	}
	switch {
	case s.ownDir:
		err = errors.Join(err, files.RemoveAll(s.dir))
		s.ownDir = false
	case s.layout != nil:
		_ = os.Remove(s.dir) // if it is empty
	}
	s.layout = nil
	if s.lock != nil {
		s.lock.Remove()
		s.lock = nil
	}
	return err
}

// Compressed returns what reports whether one of the blobs is compressed, by its bytes.
func Compressed(blobs map[digest.Digest]tarball.Member) func(content.Descriptor) bool {
	return func(d content.Descriptor) bool {
		m, ok := blobs[d.Digest]
		if !ok {
			return true // it stays what it is in the file
		}
		r, err := m.Open()
		if err != nil {
			return true // its error is found when it is written
		}
		defer r.Close()
		first := make([]byte, compress.MagicSize)
		n, _ := io.ReadFull(r, first)
		return compress.Detect(first[:n]) != compress.None
	}
}
