//go:build unix

package files

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// noFollow is for opening: of a link the open fails, and for a pipe it does not wait.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// ownerOf returns the ID of the user whom a file belongs to.
func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

func hasSecondName(_ string, info fs.FileInfo) bool { return info.Sys().(*syscall.Stat_t).Nlink > 1 }

// closeToOthers takes a directory's permissions from all but its owner.
func closeToOthers(dir *os.File, info fs.FileInfo) error {
	switch mode := info.Mode().Perm(); {
	case mode&0o022 != 0:
		return untrusted(dir.Name(), "others may write to it")
	case mode != 0o700:
		return dir.Chmod(0o700)
	}
	return nil
}

// noLocks reports whether the file system has no locks. ENOLCK is that of NFS
// without its lock service.
func noLocks(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK)
}

// MayPass reports whether a file may be opened in a moment, which only Windows has.
func MayPass(error) bool { return false }

// remove removes the file first: who waits for the lock gets it with the file gone,
// and makes another.
func (l *Lock) remove(unlink func()) {
	unlink()
	l.Release()
}
