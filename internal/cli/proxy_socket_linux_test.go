package cli

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// socketPath is a short path, as the one of a Unix socket must be.
func socketPath(t *testing.T) string {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "p.sock")
}

// leftSocket makes a socket that nobody serves.
func leftSocket(t *testing.T, path string) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

// answers reports whether who serves l gets the connections to path.
func answers(t *testing.T, l net.Listener, path string) bool {
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Error(err)
		return false
	}
	defer conn.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Error(err)
		return false
	}
	return accepted.Close() == nil
}

// TestSocketOfOthers listens where something is that is not a socket which an ended process left: it stays.
func TestSocketOfOthers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		want string
	}{
		"file":            {func(t *testing.T, path string) { must(t, os.WriteFile(path, nil, 0o600)) }, "is not a socket"},
		"directory":       {func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, "is not a socket"},
		"pipe":            {func(t *testing.T, path string) { must(t, unix.Mkfifo(path, 0o600)) }, "is not a socket"},
		"link to nothing": {func(t *testing.T, path string) { must(t, os.Symlink("nothing", path)) }, "is not a socket"},
		"link to a socket": {func(t *testing.T, path string) {
			leftSocket(t, path+"2")
			must(t, os.Symlink(path+"2", path))
		}, "is not a socket"},
		"datagrams": {func(t *testing.T, path string) {
			c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
			must(t, err)
			t.Cleanup(func() { c.Close() })
		}, "is in use"},
		"served": {func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			must(t, err)
			t.Cleanup(func() { l.Close() })
		}, "is in use"},
		"served, busy": {func(t *testing.T, path string) {
			// A process that was stopped, or has too much to do, takes no more connections.
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			must(t, err)
			t.Cleanup(func() { unix.Close(fd) })
			must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
			must(t, unix.Listen(fd, 0))
			for range 10 {
				conn, err := net.Dial("unix", path)
				if err != nil {
					return
				}
				t.Cleanup(func() { conn.Close() })
			}
			t.Error("all connections were taken")
		}, "is in use"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := socketPath(t)
			c.make(t, path)
			before, err := os.Lstat(path)
			must(t, err)
			l, err := listenSocket(path)
			if err == nil {
				l.Close()
				t.Fatal("it was replaced")
			}
			if !strings.Contains(err.Error(), path+" ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v; want %q", err, c.want)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("it is not there any more: %v", err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSocketOnce listens many times at once in the place of a socket that was left: one gets it, and answers there.
func TestSocketOnce(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	leftSocket(t, path)
	for range 10 {
		var (
			run sync.WaitGroup
			mu  sync.Mutex
			got []net.Listener
		)
		for range 8 {
			run.Go(func() {
				l, err := listenSocket(path)
				if err != nil {
					if !strings.Contains(err.Error(), path+" is in use") {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				defer mu.Unlock()
				got = append(got, l)
			})
		}
		run.Wait()
		if len(got) != 1 || !answers(t, got[0], path) {
			t.Errorf("%d listen at the same path", len(got))
		}
		for _, l := range got {
			l.Close()
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// TestSocketReplaced ends a proxy whose socket somebody has replaced: what is there now stays.
func TestSocketReplaced(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	l, err := listenSocket(path)
	must(t, err)
	if info, err := os.Lstat(path); err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	must(t, os.Remove(path))
	if second, err := listenSocket(path); err == nil {
		second.Close()
		t.Error("a second proxy listens at the path of one that runs")
	}
	other, err := net.Listen("unix", path)
	must(t, err)
	defer other.Close()
	l.Close()
	if !answers(t, other, path) {
		t.Error("the socket of another process is gone")
	}
}

// TestSocketTooLong names a path that no socket can have.
func TestSocketTooLong(t *testing.T) {
	t.Parallel()
	_, err := listenSocket(filepath.Join(t.TempDir(), strings.Repeat("x", 100)))
	if err == nil || !strings.Contains(err.Error(), "use a shorter path") {
		t.Errorf("the error is %v", err)
	}
}
