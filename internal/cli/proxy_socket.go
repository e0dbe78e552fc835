package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
)

// unixSocket is a listener whose file was made elsewhere.
type unixSocket struct {
	net.Listener
	path string
	file fs.FileInfo
	lock *files.Lock
}

func (s unixSocket) Addr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }

// Close ends the listening and removes the socket, unless somebody has put something else in its place.
func (s unixSocket) Close() error {
	err := s.Listener.Close()
	if err != nil {
		return err // it is closed already
	}
	if now, statErr := os.Lstat(s.path); statErr == nil && os.SameFile(now, s.file) {
		err = os.Remove(s.path)
	}
	s.lock.Remove()
	return err
}

// maxSocketPath bounds the path of a socket, in bytes: one that is longer can be made by a rename, and nobody could connect to it.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// listenSocket listens on a Unix socket that only this user can connect to. One that an ended
// process left is replaced.
func listenSocket(path string) (_ net.Listener, err error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("%s is too long for the path of a socket, which has at most %d bytes; use a shorter path", path, maxSocketPath)
	}
	// A lock, because two processes may find the same socket that was left, and because a socket can be removed while it is served.
	lock, err := files.Try(path + ".lock")
	if errors.Is(err, files.ErrLocked) {
		return nil, socketInUse(path)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.Remove()
		}
	}()
	if err := removeLeftSocket(path); err != nil {
		return nil, err
	}
	// Nobody can connect before the permissions are set.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".e")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	if len(made) > maxSocketPath {
		return nil, fmt.Errorf("%s is too long for the path of a socket; use a shorter path", path)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	var file fs.FileInfo
	if err = os.Chmod(made, 0o600); err == nil {
		file, err = os.Lstat(made)
	}
	if err == nil {
		err = nameSocket(made, path)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return unixSocket{l, path, file, lock}, nil
}

func socketInUse(path string) error {
	return fmt.Errorf("%s is in use; is `ecrkit proxy` running already?", path)
}

// socketTime is how long the check whether somebody serves a socket may take.
const socketTime = time.Second

// removeLeftSocket removes a socket that nobody serves. The error says what else is there.
func removeLeftSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	conn, err := net.DialTimeout("unix", path, socketTime)
	if err == nil {
		conn.Close()
	}
	// Whoever has too much to do, or wants another kind of connection, serves it too.
	if !refused(err) {
		return socketInUse(path)
	}
	return os.Remove(path)
}

// nameSocket moves a socket to its path. What somebody has put there in the meantime stays, where the file system has links.
func nameSocket(made, path string) error {
	err := os.Link(made, path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s was made by somebody else in the meantime; try again", path)
	}
	if err != nil {
		return os.Rename(made, path)
	}
	return nil
}
