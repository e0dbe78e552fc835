package transfer

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

	"github.com/ecrkit/ecrkit/transfer/internal/lockfile"
	"github.com/ecrkit/ecrkit/transfer/internal/ranges"
)

// ArchiveTargetOptions say where the tar of an image is written.
type ArchiveTargetOptions struct {
	// TempDir is the directory in which an image is put together that goes to a
	// stream; "" is os.TempDir. One that goes to a file is put together beside it.
	TempDir string
	// Stream takes the tar in the place of a file, if not nil.
	Stream io.Writer
}

// staging is the part of a [Target] that collects an image in a directory until
// it is committed as one tar. For a file the directory is beside it and named
// after it, so that a later process goes on with what a killed one has left.
type staging struct {
	name    string // of the target, in messages
	path    string // of the file; "" if there is none
	stream  io.Writer
	tempDir string
	check   func(old *imageFile) error // whether the file may be written anew; nil if it is not there

	mu        sync.Mutex
	begun     bool
	layout    *Layout
	dir       string // of layout
	lock      *lockfile.Lock
	old       *imageFile // what the file is before
	mode      os.FileMode
	manifests []Manifest       // each once, what they name before them
	tagged    []taggedManifest // with a tag or none
}

func newStaging(name, path string, options ArchiveTargetOptions) *staging {
	s := &staging{name: name, path: path, stream: options.Stream, tempDir: options.TempDir}
	if s.stream != nil {
		s.path = ""
	}
	return s
}

// String names the target.
func (s *staging) String() string { return s.name }

// begin makes the directory and waits for another process that writes the same
// file.
func (s *staging) begin(ctx context.Context) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun {
		return nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", s.name, err), s.free())
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
	if s.lock, err = lockfile.Acquire(ctx, s.stagingPath()+lockSuffix); err != nil {
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
func (s *staging) newLayout(dir string) *Layout {
	s.dir = dir
	return newNamedLayout(dir, s.name)
}

// stagingPath is where the image is put together.
func (s *staging) stagingPath() string {
	dir, file := filepath.Split(s.path)
	return dir + tempPrefix + file
}

// openOld opens the file that is there.
func (s *staging) openOld() error {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is there and is not a file", ErrConflict)
	case info.Size() == 0:
		return nil // as mktemp makes it
	}
	s.mode = info.Mode().Perm()
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	if s.old, err = newImageFile(f, f); err != nil {
		return fmt.Errorf("%w: the file is there and would be lost, since nothing can be added to it (%w); name another one, or remove it", ErrConflict, err)
	}
	return s.check(s.old)
}

// MissingBlobs gives the blobs that are neither in the directory nor in the file.
func (s *staging) MissingBlobs(ctx context.Context, blobs []Descriptor) ([]Descriptor, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	missing, err := s.layout.MissingBlobs(ctx, blobs)
	if err != nil || s.old == nil {
		return missing, err
	}
	return newLayoutReader(s.old.files, s.name).MissingBlobs(ctx, missing)
}

// findTags gives what the tags name in the file that is there.
func (s *staging) findTags(ctx context.Context, tags []string) (map[string]Manifest, error) {
	if err := s.begin(ctx); err != nil || s.old == nil {
		return nil, err
	}
	return newLayoutReader(s.old.files, s.name).findTags(ctx, tags)
}

// referrers are the manifests without a tag that refer to another, in the order of
// their digests.
func (s *staging) referrers() ([]Manifest, error) {
	var found []Manifest
	for _, m := range s.manifests {
		_, subject, err := referrerOf(m)
		if err != nil {
			return nil, err
		}
		isTagged := func(other taggedManifest) bool { return other.Descriptor.Digest == m.Descriptor.Digest }
		if subject != "" && !slices.ContainsFunc(s.tagged, isTagged) {
			found = append(found, m)
		}
	}
	slices.SortFunc(found, func(a, b Manifest) int {
		return strings.Compare(string(a.Descriptor.Digest), string(b.Descriptor.Digest))
	})
	return found, nil
}

// PutBlob stores a blob in the directory.
func (s *staging) PutBlob(ctx context.Context, d Descriptor, r io.Reader) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	return s.layout.PutBlob(ctx, d, r)
}

// PutBlobFile stores a blob in the directory.
func (s *staging) PutBlobFile(ctx context.Context, d Descriptor, fill func(f ranges.File) error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	return s.layout.PutBlobFile(ctx, d, fill)
}

// PutManifest notes a manifest.
func (s *staging) PutManifest(ctx context.Context, m Manifest) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if err := s.layout.PutManifest(ctx, m); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.manifests, func(n Manifest) bool { return n.Descriptor.Digest == m.Descriptor.Digest }) {
		s.manifests = append(s.manifests, m)
	}
	return nil
}

// PutTagged notes the image itself.
func (s *staging) PutTagged(ctx context.Context, m Manifest, tag string) error {
	if err := s.PutManifest(ctx, m); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tagged = append(s.tagged, taggedManifest{m, tag})
	slices.SortFunc(s.tagged, func(a, b taggedManifest) int { return strings.Compare(a.tag, b.tag) })
	return nil
}

// blobs are all blobs and manifests of what was put, from the directory or the file.
func (s *staging) blobs() (map[digest.Digest]tarMember, error) {
	members := map[digest.Digest]tarMember{}
	for _, m := range s.manifests {
		c, err := decodeManifest(m.Content, m.Descriptor.MediaType)
		if err != nil {
			return nil, err
		}
		for _, d := range append(c.blobs, m.Descriptor) {
			members[d.Digest] = tarMember{name: blobPath(d.Digest), size: d.Size, open: func() (io.ReadCloser, error) {
				r, err := openFile(os.DirFS(s.dir), blobPath(d.Digest), d.Size)
				if err != nil && s.old != nil {
					r, err = openFile(s.old.files, blobPath(d.Digest), d.Size)
				}
				return r, err
			}}
		}
	}
	return members, nil
}

// write writes the tar to where it belongs. Afterwards nothing else is left.
func (s *staging) write(ctx context.Context, members []tarMember) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", s.name, err)
		}
	}()
	if s.path == "" {
		return writeTar(ctx, s.stream, members)
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
	if err := writeTar(ctx, f, members); err != nil {
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
	if s.old != nil {
		s.old.Close() // so that it can be replaced on every system
		s.old = nil
	}
	if err := os.Rename(temp, s.path); err != nil {
		return err
	}
	return os.RemoveAll(s.dir)
}

// Close frees the file for other processes. Of an image that was not committed
// what belongs to a file is left, for a later process; the rest is removed.
func (s *staging) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free()
}

func (s *staging) free() error {
	var err error
	s.begun = false
	if s.old != nil {
		err = s.old.Close()
		s.old = nil
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
