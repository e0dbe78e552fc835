//go:build unix

package tokenstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// checkDirectory refuses a directory that others may write to, that is another
// user's, or that is a symbolic link unless it may be. One that is not there is
// no error.
func checkDirectory(path string, mayBeLink bool) error {
	stat := os.Lstat
	if mayBeLink {
		stat = os.Stat
	}
	info, err := stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("token cache: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a directory; remove it", ErrUnsafe, path)
	case looseMode(info):
		return fmt.Errorf("%w: others may write to %s (mode %04o); run chmod go-w %s", ErrUnsafe, path, info.Mode().Perm(), path)
	}
	return checkOwner(path, info)
}

func looseMode(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

func checkOwner(path string, info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to user %d and this is user %d; set ECRKIT_CACHE_DIR to a directory of your own", ErrUnsafe, path, stat.Uid, os.Geteuid())
	}
	return nil
}

// openNoFollow opens a file for reading; a symbolic link is ErrUnsafe.
func openNoFollow(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%w: %s is a symbolic link; remove it", ErrUnsafe, path)
	}
	return file, err
}

func rename(from, to string) error { return os.Rename(from, to) }

// syncDirectory makes a rename last.
func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("token cache: %w", err)
	}
	defer directory.Close()
	if err := directory.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("token cache: %w", err)
	}
	return nil
}
