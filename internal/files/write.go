package files

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file that appears under its name when it is complete, and not at all if
// it never is. Until then it is a temporary file in the same directory, which
// [File.Discard] removes.
type File struct {
	*os.File
	path string
	done bool
}

// Create begins a file that is to be at path, with the permissions perm before the
// umask. The temporary file has a random name that begins with [TempPrefix]. An error names path.
func Create(path string, perm fs.FileMode) (*File, error) {
	f, err := create(filepath.Join(filepath.Dir(path), TempPrefix+rand.Text()+".tmp"), path, perm)
	if failed, ok := err.(*fs.PathError); ok {
		err = &fs.PathError{Op: failed.Op, Path: path, Err: failed.Err}
	}
	return f, err
}

// CreateAs is [Create] with the temporary file temp, on the file system of path, in
// the place of what a killed writer has left there. The caller holds a lock, or temp
// is the caller's alone.
func CreateAs(temp, path string, perm fs.FileMode) (*File, error) {
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return create(temp, path, perm)
}

func create(temp, path string, perm fs.FileMode) (*File, error) {
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	return &File{File: f, path: path}, nil
}

// Commit puts the file, once it is on disk, in the place of any at its path. A
// symbolic link there is replaced, not followed. After an error the file is
// discarded.
func (f *File) Commit() error {
	if err := f.finish(Publish(f.File, f.path)); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(f.path))
}

// CommitUnsynced is [File.Commit] for a file that may be empty after a crash of the
// machine, as one of a cache may.
func (f *File) CommitUnsynced() error { return f.finish(publish(f.File, f.path)) }

// CommitNew is [File.Commit] unless there is a file at the path: then the error wraps
// fs.ErrExist, and the file is discarded.
func (f *File) CommitNew() error { return f.commitNew(newName{os.Link, renameNew}) }

func (f *File) commitNew(way newName) error {
	err := f.Sync()
	if err == nil {
		err = way.publish(f.File, f.path)
	}
	if err := f.finish(err); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(f.path))
}

// finish ends the work on the file.
func (f *File) finish(err error) error {
	if err != nil {
		f.Discard()
	}
	f.done = true
	return err
}

// Discard removes the file, unless it was committed.
func (f *File) Discard() {
	if f.done {
		return
	}
	f.done = true
	_ = f.Close()
	_ = os.Remove(f.Name())
}

// WriteFile puts data in the place of the file at path, whole or not at all, with the
// permissions perm before the umask.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return write(path, data, perm, (*File).Commit)
}

// WriteContent is [WriteFile] of what content writes.
func WriteContent(path string, content func(w io.Writer) error, perm fs.FileMode) error {
	return writeContent(path, content, perm, (*File).Commit)
}

// WriteFileUnsynced is [WriteFile] with [File.CommitUnsynced].
func WriteFileUnsynced(path string, data []byte, perm fs.FileMode) error {
	return write(path, data, perm, (*File).CommitUnsynced)
}

func write(path string, data []byte, perm fs.FileMode, commit func(*File) error) error {
	return writeContent(path, func(w io.Writer) error { _, err := w.Write(data); return err }, perm, commit)
}

func writeContent(path string, content func(w io.Writer) error, perm fs.FileMode, commit func(*File) error) error {
	f, err := Create(path, perm)
	if err != nil {
		return err
	}
	defer f.Discard()
	if err := content(f); err != nil {
		return err
	}
	return commit(f)
}

// Replace puts data in the place of the file at path, whole or not at all, with exactly the
// permissions perm. If root runs it and like is not nil, the file belongs to whom like
// belongs to.
func Replace(path string, data []byte, perm fs.FileMode, like fs.FileInfo) error {
	f, err := Create(path, 0o600)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(perm), keepOwner(f.File, like)); err != nil {
		return err
	}
	return f.Commit()
}

// Publish renames the open file f, once it is on disk, to path, in the place of any
// file there. It fails if another file has taken the name of f in the meantime. f is
// closed in any case.
func Publish(f *os.File, path string) error {
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return publish(f, path)
}

func publish(f *os.File, path string) error {
	err := checkName(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return Rename(f.Name(), path)
}

// checkName returns an error unless the open file f has its name still.
func checkName(f *os.File) error {
	opened, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(f.Name())
	if err != nil {
		return err
	}
	if !os.SameFile(opened, named) {
		return untrusted(f.Name(), "another file has taken its place")
	}
	return nil
}

// Rename is os.Rename that, on Windows, tries again for a second while another
// process has one of the files open.
func Rename(from, to string) error { return rename(from, to) }

// SyncDir makes what was created, renamed and removed in a directory last, where
// that can be asked for.
func SyncDir(path string) error {
	if err := syncDir(path); err != nil {
		return fmt.Errorf("sync of directory %s: %w", path, err)
	}
	return nil
}
