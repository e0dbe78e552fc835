//go:build unix

package files

import (
	"errors"
	"syscall"
)

// IsFull reports whether err is that of a file system, or a quota, without room.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// IsTooLarge reports whether err is that of a file that is larger than its file system or a limit of the
// process allows.
func IsTooLarge(err error) bool { return errors.Is(err, syscall.EFBIG) }
