//go:build unix

package tokenfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// CheckDirectory refuses a directory that others may write to, that is another
// user's, or that is a symbolic link unless it may be. One that is not there is
// no error.
func CheckDirectory(path string, mayBeLink bool) error {
	stat := os.Lstat
	if mayBeLink {
		stat = os.Stat
	}
	info, err := stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("token cache: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a directory; remove it", ErrUnsafe, path)
	case looseMode(info):
		return fmt.Errorf("%w: others may write to %s (mode %04o); run chmod go-w %s", ErrUnsafe, path, info.Mode().Perm(), path)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return checkOwner(path, stat.Uid)
	}
	return nil
}

func looseMode(info fs.FileInfo) bool { return info.Mode().Perm()&othersWrite != 0 }

const othersWrite = 0o022

func checkOwner(path string, uid uint32) error {
	if int(uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to user %d and this is user %d; set ECRKIT_CACHE_DIR to a directory of your own", ErrUnsafe, path, uid, os.Geteuid())
	}
	return nil
}

// readOwn reads a file that is the user's own and nobody else's to write.
func readOwn(path string) ([]byte, error) {
	data, stat, err := read(path, syscall.O_NOFOLLOW, maxFile)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%w: %s is a symbolic link; remove it", ErrUnsafe, path)
	}
	if err != nil {
		return nil, err
	}
	if err := checkOwner(path, stat.Uid); err != nil {
		return nil, err
	}
	if stat.Mode&othersWrite != 0 {
		return nil, fmt.Errorf("others may write to %s", path)
	}
	return data, nil
}

// readRegular reads a regular file of at most limit bytes.
func readRegular(path string, limit int64) ([]byte, error) {
	data, _, err := read(path, 0, limit)
	return data, err
}

// read goes by the system's calls: for a file of package os the runtime sets up
// its poller, and that takes as long as the rest of it. Without O_NONBLOCK a pipe
// would be waited for.
func read(path string, flags int, limit int64) (data []byte, stat syscall.Stat_t, err error) {
	fd, err := again(func() (int, error) {
		return syscall.Open(path, flags|syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	})
	if err != nil {
		return nil, stat, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	if err := syscall.Fstat(fd, &stat); err != nil {
		return nil, stat, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFREG || stat.Size > limit {
		return nil, stat, fmt.Errorf("%s is not a regular file, or larger than %d bytes", path, limit)
	}
	data = make([]byte, stat.Size+1)
	for n := 0; n < len(data); {
		m, err := again(func() (int, error) { return syscall.Read(fd, data[n:]) })
		if err != nil {
			return nil, stat, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if m == 0 {
			return data[:n], stat, nil
		}
		n += m
	}
	return nil, stat, fmt.Errorf("%s grows while it is read", path)
}

// again repeats a call that a signal has interrupted.
func again(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != syscall.EINTR {
			return n, err
		}
	}
}
