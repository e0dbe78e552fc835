//go:build unix

package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/test/trap"
)

// unsupported are the errors of file systems without locks.
var unsupported = []error{syscall.ENOSYS, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOLCK}

// foreign returns the paths of a file and of a directory of another user.
func foreign(t *testing.T) (file, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return "/etc/passwd", "/etc"
	}
	const other = 65534
	file, dir = filepath.Join(t.TempDir(), "file"), filepath.Join(t.TempDir(), "dir")
	must(t, os.WriteFile(file, nil, 0o666))
	must(t, os.Mkdir(dir, 0o700))
	must(t, errors.Join(os.Chown(file, other, other), os.Chown(dir, other, other)))
	return file, dir
}

func TestOtherUser(t *testing.T) {
	t.Parallel()
	file, dir := foreign(t)
	if f, err := OpenOwn(file, os.O_RDONLY, 0); !errors.Is(err, ErrUntrusted) || f != nil {
		t.Errorf("OpenOwn: %v", err)
	}
	if lock, err := Try(file); !errors.Is(err, ErrUntrusted) || lock != nil {
		t.Errorf("Try: %v", err)
	}
	if err := PrivateDir(dir); !errors.Is(err, ErrUntrusted) {
		t.Errorf("PrivateDir: %v", err)
	}
	if os.Geteuid() == 0 {
		lock, err := AcquireShared(t.Context(), file)
		must(t, err)
		lock.Release()
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), TempPrefix+"*")); len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// A pipe is refused, and not waited for.
func TestPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(path, 0o600))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, flag := range []int{os.O_RDONLY, os.O_WRONLY | os.O_CREATE, os.O_RDWR | os.O_CREATE} {
			if _, err := OpenOwn(path, flag, 0o600); !errors.Is(err, ErrUntrusted) {
				t.Errorf("OpenOwn with flag %x: %v", flag, err)
			}
		}
		if _, err := Try(path); !errors.Is(err, ErrUntrusted) {
			t.Errorf("Try: %v", err)
		}
		if err := PrivateDir(path); !errors.Is(err, ErrUntrusted) {
			t.Errorf("PrivateDir: %v", err)
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("waits for the pipe")
	}
}

func TestPrivateDirMode(t *testing.T) {
	t.Parallel()
	for mode, trusted := range map[fs.FileMode]bool{0o700: true, 0o755: true, 0o750: true, 0o500: true, 0o775: false, 0o777: false, 0o702: false} {
		path := filepath.Join(t.TempDir(), "dir")
		must(t, os.Mkdir(path, 0o700))
		must(t, os.Chmod(path, mode))
		err := PrivateDir(path)
		info, statErr := os.Stat(path)
		must(t, statErr)
		switch {
		case trusted && (err != nil || info.Mode().Perm() != 0o700):
			t.Errorf("%o: %v, mode %v", mode, err, info.Mode())
		case !trusted && (!errors.Is(err, ErrUntrusted) || info.Mode().Perm() != mode):
			t.Errorf("%o: %v, mode %v", mode, err, info.Mode())
		}
	}
}

// Files get the mode that was asked for, less the umask.
func TestMode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mode := func(path string, want fs.FileMode) {
		t.Helper()
		info, err := os.Stat(path)
		if must(t, err); info.Mode() != want {
			t.Errorf("%s: mode %v, want %v", path, info.Mode(), want)
		}
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(path("system"), nil, 0o666))
	info, err := os.Stat(path("system"))
	must(t, err)
	for perm, want := range map[fs.FileMode]fs.FileMode{0o600: 0o600, 0o666: info.Mode()} {
		must(t, WriteFile(path("file"), nil, perm))
		mode(path("file"), want)
	}
	private, err := Try(path("private"))
	must(t, err)
	mode(path("private"), 0o600)
	private.Release()
	shared, err := AcquireShared(t.Context(), path("shared"))
	must(t, err)
	mode(path("shared"), info.Mode())
	shared.Release()
}

// A removed lock may have a successor, which belongs to another.
func TestRemoveLeavesSuccessor(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Try(path)
	must(t, err)
	must(t, os.Remove(path))
	second, err := Try(path)
	must(t, err)
	first.Remove()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	second.Remove()
}

// A file that has lost its name to another is not committed: neither a link nor
// what others wrote gets the name.
func TestCommitChecksName(t *testing.T) {
	t.Parallel()
	commits := map[string]func(*File) error{"Commit": (*File).Commit, "CommitUnsynced": (*File).CommitUnsynced, "CommitNew": (*File).CommitNew}
	for name, commit := range commits {
		trap.Each(t, func(t *testing.T, _ string, lay func(string)) {
			path := filepath.Join(t.TempDir(), "file")
			f, err := Create(path, 0o600)
			must(t, err)
			must(t, os.Remove(f.Name()))
			lay(f.Name())
			if err := commit(f); !errors.Is(err, ErrUntrusted) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: the file is there: %v", name, err)
			}
		})
	}
}
