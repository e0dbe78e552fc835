package tokenstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// checkDirectory refuses what is no directory. Who may write to it is told by
// access control lists, which a user's profile sets well.
func checkDirectory(path string, _ bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("token cache: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a directory; remove it", ErrUnsafe, path)
	}
	return nil
}

func looseMode(fs.FileInfo) bool { return false }

func checkOwner(string, fs.FileInfo) error { return nil }

func openNoFollow(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("%w: %s is a symbolic link; remove it", ErrUnsafe, path)
	}
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// rename tries again while another process has the file open.
func rename(from, to string) error {
	const attempts = 20
	var err error
	for range attempts {
		if err = os.Rename(from, to); err == nil || !errors.Is(err, fs.ErrPermission) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

func syncDirectory(string) error { return nil }
