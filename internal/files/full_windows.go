package files

import (
	"errors"

	"golang.org/x/sys/windows"
)

// IsFull reports whether err is that of a file system, or a quota, without room.
func IsFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) || errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

// IsTooLarge reports whether err is that of a file that is larger than its file system allows.
func IsTooLarge(err error) bool { return errors.Is(err, windows.ERROR_FILE_TOO_LARGE) }
