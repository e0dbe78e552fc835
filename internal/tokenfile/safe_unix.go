//go:build unix

package tokenfile

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// CheckDirectory refuses a directory that others may write to, that is another
// user's, or that is a symbolic link unless it may be. One that is missing is
// no error.
func CheckDirectory(path string, mayBeLink bool) error {
	var stat syscall.Stat_t
	var err error
	if mayBeLink {
		err = syscall.Stat(path, &stat)
	} else {
		err = syscall.Lstat(path, &stat)
	}
	mode := fs.FileMode(stat.Mode).Perm()
	switch {
	case err == syscall.ENOENT:
		return nil
	case err != nil:
		return systemError(&fs.PathError{Op: "stat", Path: path, Err: err})
	case stat.Mode&syscall.S_IFMT != syscall.S_IFDIR:
		return unsafeError(path + " is not a directory; remove it")
	case mode&othersWrite != 0:
		return unsafeError("others may write to " + path + " (mode " + octal(mode) + "); run chmod go-w " + path)
	}
	return checkOwner(path, stat.Uid)
}

// Bits of a mode.
const (
	othersWrite = 0o022
	others      = 0o077
)

// MakePrivate takes a directory or file of the user's from everybody else. It fails
// with an error that wraps [ErrUnsafe] on a file system that cannot do so.
func MakePrivate(path string) error {
	var stat syscall.Stat_t
	if err := syscall.Lstat(path, &stat); err != nil {
		return systemError(&fs.PathError{Op: "stat", Path: path, Err: err})
	}
	mode := fs.FileMode(stat.Mode).Perm()
	if mode&others == 0 {
		return nil
	}
	err := os.Chmod(path, mode&^others)
	if err == nil {
		err = syscall.Lstat(path, &stat)
	}
	if err != nil || fs.FileMode(stat.Mode).Perm()&others != 0 {
		return unsafeError("others may read " + path + ", and its file system does not let it be made private; set ECRKIT_CACHE_DIR to a directory on another one")
	}
	return nil
}

func octal(mode fs.FileMode) string { return "0" + strconv.FormatUint(uint64(mode), 8) }

func checkOwner(path string, uid uint32) error {
	if int(uid) != os.Geteuid() {
		return unsafeError(path + " belongs to user " + strconv.FormatUint(uint64(uid), 10) + " and this is user " + strconv.Itoa(os.Geteuid()) +
			"; set ECRKIT_CACHE_DIR to a directory of your own")
	}
	return nil
}

// readOwn reads a file that belongs to the user and that nobody else can read or
// write.
func readOwn(path string) ([]byte, error) {
	return read(path, maxFile, syscall.O_NOFOLLOW, func(mode fs.FileMode, uid uint32) error {
		if mode&others != 0 {
			return errors.New("others may read " + path)
		}
		return checkOwner(path, uid)
	})
}

// readRegular reads a regular file of at most limit bytes.
func readRegular(path string, limit int64) ([]byte, error) {
	return read(path, limit, 0, func(fs.FileMode, uint32) error { return nil })
}

// read goes by the system's calls: for a file of package os the runtime sets up
// its poller, and that takes as long as the rest of it. Without O_NONBLOCK a pipe
// would be waited for.
func read(path string, limit int64, flags int, check func(mode fs.FileMode, uid uint32) error) ([]byte, error) {
	fd, err := again(func() (int, error) {
		return syscall.Open(path, flags|syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	})
	if err == syscall.ELOOP {
		return nil, unsafeError(path + " is a symbolic link; remove it")
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFREG || stat.Size > limit {
		return nil, errNotRegular(path, limit)
	}
	if err := check(fs.FileMode(stat.Mode).Perm(), stat.Uid); err != nil {
		return nil, err
	}
	return readAll(path, fd, make([]byte, max(stat.Size+1, 4096)))
}

// readAll reads a file that has room in data, and a byte more: its size may not be
// known before.
func readAll(path string, fd int, data []byte) ([]byte, error) {
	for n := 0; n < len(data); {
		m, err := again(func() (int, error) { return syscall.Read(fd, data[n:]) })
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if m == 0 {
			return data[:n], nil
		}
		n += m
	}
	return nil, errors.New(path + " grows while it is read")
}

// again repeats a call that a signal has interrupted.
func again(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != syscall.EINTR {
			return n, err
		}
	}
}
