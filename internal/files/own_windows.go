package files

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// noFollow is for opening: a link is opened itself.
const noFollow = syscall.FILE_FLAG_OPEN_REPARSE_POINT

// ownerOf returns the same as os.Geteuid: access control lists, which a user's
// profile sets well, say who may write.
func ownerOf(fs.FileInfo) int { return os.Geteuid() }

func hasSecondName(path string, _ fs.FileInfo) bool {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return true
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	h, err := windows.CreateFile(name, windows.FILE_READ_ATTRIBUTES, share, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer windows.CloseHandle(h)
	var info windows.ByHandleFileInformation
	return windows.GetFileInformationByHandle(h, &info) != nil || info.NumberOfLinks > 1
}

// closeToOthers leaves a directory as it is: its access control list, which it has
// from the one above, says who may write.
func closeToOthers(*os.File, fs.FileInfo) error { return nil }

// noLocks reports whether the file system has no locks.
func noLocks(err error) bool { return errors.Is(err, errors.ErrUnsupported) }

// MayPass reports whether a file may be opened in a moment: one that another process makes or
// removes looks as if it must not be.
func MayPass(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, windows.ERROR_SHARING_VIOLATION)
}

// remove frees the lock first: a file that is open cannot be removed. If another has
// opened it by then, it stays.
func (l *Lock) remove(unlink func()) {
	l.Release()
	unlink()
}
