package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// maxSize is the size, in bytes, at which a log becomes FILE.1 and a new one begins.
const maxSize = 1 << 20

// openRotated opens a log for appending, readable by the user alone.
func openRotated(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() >= maxSize:
		if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return file, file.Chmod(0o600)
}
