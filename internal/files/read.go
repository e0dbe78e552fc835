package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotRegular is wrapped by errors about a named pipe or a socket in the place of
// a file, which would be waited for.
var ErrNotRegular = errors.New("not a regular file")

// ErrDirectory is wrapped by the [fs.PathError] about a directory in the place of a file.
var ErrDirectory = errors.New("it is a directory; name a file")

// Read returns the content of a file of at most limit bytes. It does not wait for
// the other end of a named pipe: the error then wraps [ErrNotRegular].
func Read(path string, limit int64) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkRegular(path, info); err != nil {
		return nil, err
	}
	// With room for all of it, a large file is not copied while it is read. What the system says of its size is a hint.
	data := bytes.NewBuffer(make([]byte, 0, max(0, min(info.Size(), limit))+bytes.MinRead))
	_, err = data.ReadFrom(io.LimitReader(file, limit+1))
	if err == nil && int64(data.Len()) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	if err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

// OpenFile is [os.Open], but does not wait for the writer of a named pipe: without one it
// is empty.
func OpenFile(path string) (*os.File, error) {
	flag := os.O_RDONLY
	if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		flag |= syscall.O_NONBLOCK
	}
	return os.OpenFile(path, flag, 0)
}

// CheckRegular returns an error that wraps [ErrNotRegular] if a named pipe or a
// socket is at path, and [ErrDirectory] if a directory is, for files that others read. A missing file is not an error, and
// neither is a device such as /dev/null.
func CheckRegular(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // whoever reads it reports it
	}
	return checkRegular(path, info)
}

func checkRegular(path string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return &fs.PathError{Op: "read", Path: path, Err: ErrDirectory}
	case info.Mode()&fs.ModeNamedPipe != 0:
		return fmt.Errorf("%s is a named pipe: %w", path, ErrNotRegular)
	case info.Mode()&fs.ModeSocket != 0:
		return fmt.Errorf("%s is a socket: %w", path, ErrNotRegular)
	}
	return nil
}
