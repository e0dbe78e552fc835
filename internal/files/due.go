package files

import (
	"os"
	"time"
)

// Due reports whether what is to be done now and then, such as a clean-up, was not begun for so long. The time of the file
// says when it was; Due writes the file, so that others need not do the same. An error of a directory that does not exist
// wraps fs.ErrNotExist.
func Due(path string, now time.Time, every time.Duration) (bool, error) {
	// A time in the future is of a clock that was wrong then.
	if info, err := os.Lstat(path); err == nil && now.Sub(info.ModTime()).Abs() < every {
		return false, nil
	}
	return true, WriteFileUnsynced(path, nil, 0o600)
}
