package eventlog

import (
	"errors"
	"io/fs"
	"os"

	"github.com/ecrkit/ecrkit/internal/files"
)

// maxSize is the size, in bytes, at which a log becomes FILE.1 and a new one begins.
const maxSize = 1 << 20

// openRotated opens a log for appending, readable by the user alone. What is not a file
// of the user's own is refused.
func openRotated(path string) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() >= maxSize {
		if err := files.Rename(path, path+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	file, err := files.OpenOwn(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return file, file.Chmod(0o600)
}
