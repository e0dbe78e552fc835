package staging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/imagefs"
	"github.com/ecrkit/ecrkit/transfer/internal/lockfile"
	"github.com/ecrkit/ecrkit/transfer/internal/partial"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// Options say where the tar of an image is written.
type Options struct {
	// TempDir is the directory in which an image is put together that goes to a
	// stream; "" is os.TempDir. One that goes to a file is put together beside it.
	TempDir string
	// Stream takes the tar in the place of a file, if not nil.
	Stream io.Writer
}

// Staging is the part of a [Target] that collects an image in a directory until
// it is committed as one tar. For a file the directory is beside it and named
// after it, so that a later process goes on with what a killed one has left.
type Staging struct {
	Name    string // of the target, in messages
	path    string // of the file; "" if there is none
	stream  io.Writer
	tempDir string
	Check   func(old *tarball.Image) error // whether the file may be written anew; nil if it is not there

	mu        sync.Mutex
	begun     bool
	layout    *layout.Layout
	dir       string // of layout
	lock      *lockfile.Lock
	Old       *tarball.Image // what the file is before
	mode      os.FileMode
	manifests []content.Manifest       // each once, what they name before them
	Tagged    []content.TaggedManifest // with a tag or none
}

func New(name, path string, options Options) *Staging {
	s := &Staging{Name: name, path: path, stream: options.Stream, tempDir: options.TempDir}
	if s.stream != nil {
		s.path = ""
	}
	return s
}

// String names the target.
func (s *Staging) String() string { return s.Name }

// Begin makes the directory and waits for another process that writes the same
// file.
func (s *Staging) Begin(ctx context.Context) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun {
		return nil
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
		s.layout = s.newLayout(dir)
		s.begun = true
		return nil
	}
	if target, err := filepath.EvalSymlinks(s.path); err == nil {
		s.path = target // which is replaced, not the link to it
	}
	if _, err := os.Stat(filepath.Dir(s.path)); err != nil {
		return err
	}
	if s.lock, err = lockfile.Acquire(ctx, s.stagingPath()+partial.LockSuffix); err != nil {
		return err
	}
	s.layout = s.newLayout(s.stagingPath())
	if err := s.openOld(); err != nil {
		return err
	}
	s.begun = true
	return nil
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

// openOld opens the file that is there.
func (s *Staging) openOld() error {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is there and is not a file", content.ErrConflict)
	case info.Size() == 0:
		return nil // as mktemp makes it
	}
	s.mode = info.Mode().Perm()
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	if s.Old, err = tarball.New(f, f); err != nil {
		return fmt.Errorf("%w: the file is there and would be lost, since nothing can be added to it (%w); name another one, or remove it", content.ErrConflict, err)
	}
	return s.Check(s.Old)
}

// MissingBlobs gives the blobs that are neither in the directory nor in the file.
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

// FindTags gives what the tags name in the file that is there.
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
func (s *Staging) Blobs() (map[digest.Digest]tarball.Member, error) {
	members := map[digest.Digest]tarball.Member{}
	for _, m := range s.manifests {
		c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
		if err != nil {
			return nil, err
		}
		for _, d := range append(c.Blobs, m.Descriptor) {
			members[d.Digest] = tarball.Member{Name: layout.BlobPath(d.Digest), Size: d.Size, Open: func() (io.ReadCloser, error) {
				r, err := imagefs.OpenFile(os.DirFS(s.dir), layout.BlobPath(d.Digest), d.Size)
				if err != nil && s.Old != nil {
					r, err = imagefs.OpenFile(s.Old.Files, layout.BlobPath(d.Digest), d.Size)
				}
				return r, err
			}}
		}
	}
	return members, nil
}

// Write writes the tar to where it belongs. Afterwards nothing else is left.
func (s *Staging) Write(ctx context.Context, members []tarball.Member) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", s.Name, err)
		}
	}()
	if s.path == "" {
		return tarball.Write(ctx, s.stream, members)
	}
	temp := s.stagingPath() + ".tar"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(temp)
		}
	}()
	if err := tarball.Write(ctx, f, members); err != nil {
		return err
	}
	if s.mode != 0 {
		if err := f.Chmod(s.mode); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if s.Old != nil {
		s.Old.Close() // so that it can be replaced on every system
		s.Old = nil
	}
	if err := os.Rename(temp, s.path); err != nil {
		return err
	}
	return os.RemoveAll(s.dir)
}

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
	if s.path == "" && s.layout != nil {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	s.layout = nil
	if s.lock != nil {
		err = errors.Join(err, s.lock.Remove())
		s.lock = nil
	}
	return err
}
