package tokenfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// CheckDirectory refuses what is no directory. Who may write to it is decided by
// access control lists, which a user's profile sets well.
func CheckDirectory(path string, _ bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return systemError(err)
	case !info.IsDir():
		return unsafeError(path + " is not a directory; remove it")
	}
	return nil
}

// MakePrivate does nothing: access control lists decide, see [CheckDirectory].
func MakePrivate(string) error { return nil }

// readOwn reads a file of the user's profile.
func readOwn(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, unsafeError(path + " is a symbolic link; remove it")
	}
	if err != nil {
		return nil, err
	}
	return readRegular(path, maxFile)
}

// readRegular reads a regular file of at most limit bytes.
func readRegular(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, errNotRegular(path, limit)
	}
	return io.ReadAll(io.LimitReader(file, limit))
}
