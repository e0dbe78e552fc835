package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// OpenOwn opens the file at path as os.OpenFile does, if it is a regular file of
// this user with no second name; links are not followed. The flag os.O_TRUNC takes
// effect after these checks. The error wraps [ErrUntrusted] for any other file.
func OpenOwn(path string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag&^os.O_TRUNC|noFollow, perm)
	if err != nil {
		return nil, explain(path, err, false)
	}
	info, err := f.Stat()
	if err == nil {
		err = check(path, info, false)
	}
	if err == nil && flag&os.O_TRUNC != 0 {
		err = f.Truncate(0)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// OpenRegular opens the file at path as os.OpenFile does, if it is a regular file of any user; a symbolic link is not
// followed. The error wraps [ErrUntrusted] for anything else. It is for a file whose name others can predict, but which
// they may share or link to: a copy of a directory may share its files with it.
func OpenRegular(path string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag|noFollow, perm)
	if err != nil {
		if info, statErr := os.Lstat(path); statErr == nil && !info.Mode().IsRegular() {
			err = untrusted(path, "it is "+typeName(info)+", not a regular file")
		}
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = untrusted(path, "it is "+typeName(info)+", not a regular file")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// PrivateDir makes the directory at path, with mode 0700. One that exists has to be
// this user's, no link, and not open to others for writing; others then lose what
// else they may do. The error wraps [ErrUntrusted] if it is not so.
func PrivateDir(path string) error {
	err := os.Mkdir(path, 0o700)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		if info, statErr := os.Lstat(path); statErr == nil && !info.IsDir() {
			return untrusted(path, "it is "+typeName(info)+", not a directory")
		}
		return err
	}
	defer dir.Close()
	info, err := dir.Stat()
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return untrusted(path, "it is "+typeName(info)+", not a directory")
	case !isOwn(path, info):
		return untrusted(path, "it belongs to another user")
	}
	return closeToOthers(dir, info)
}

// CheckDirectory returns an error that wraps [ErrUntrusted] if something else than a directory is at path, a link to
// one too. A missing one is no error.
func CheckDirectory(path string) error {
	if info, err := os.Lstat(path); err == nil && !info.IsDir() {
		return untrusted(path, "it is "+typeName(info)+", not a directory")
	}
	return nil
}

// check returns an error that wraps [ErrUntrusted] if a file is not a regular one of
// this user, or of any user, with one name.
func check(path string, info fs.FileInfo, anyUser bool) error {
	switch {
	case !info.Mode().IsRegular():
		return untrusted(path, "it is "+typeName(info)+", not a regular file")
	case !anyUser && !isOwn(path, info):
		return untrusted(path, "it belongs to another user")
	case hasSecondName(path, info):
		return untrusted(path, "it has a second name (a hard link)")
	}
	return nil
}

// explain returns the reason why a file could not be opened if it is one that
// [check] refuses, and otherwise err.
func explain(path string, err error, anyUser bool) error {
	if info, statErr := os.Lstat(path); statErr == nil {
		if reason := check(path, info, anyUser); reason != nil {
			return reason
		}
	}
	return err
}

// Same reports whether two paths lead to the same place in the file system, whether
// there is a file or not.
func Same(a, b string) bool { return a != "" && b != "" && fold(resolve(a)) == fold(resolve(b)) }

// resolve returns an absolute path without links, as far as it exists.
func resolve(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	missing := ""
	for dir := path; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, missing)
		}
		if dir == filepath.Dir(dir) {
			return path
		}
		missing = filepath.Join(filepath.Base(dir), missing)
	}
}

func untrusted(path, reason string) error {
	return fmt.Errorf("%s is %w: %s", path, ErrUntrusted, reason)
}

func typeName(info fs.FileInfo) string {
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode.IsDir():
		return "a directory"
	case mode.IsRegular():
		return "a file"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// ownerOfNew returns the owner that a new file in a directory gets.
func ownerOfNew(dir string) (owner int, err error) {
	f, err := os.CreateTemp(dir, TempPrefix+"owner-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return ownerOf(info), nil
}

// isOwn reports whether a file belongs to this user.
func isOwn(path string, info fs.FileInfo) bool {
	return isOwner(ownerOf(info), func() (int, error) { return ownerOfNew(filepath.Dir(path)) })
}

func isOwner(owner int, ofNew func() (int, error)) bool {
	if owner == os.Geteuid() {
		return true
	}
	mapped, err := ofNew()
	return err == nil && owner == mapped
}
