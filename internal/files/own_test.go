package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A trap is something that lies under the name of a file that is to be written.
// secret is the path of a file of the user that must stay as it is; it may not exist.
var traps = map[string]func(t *testing.T, path, secret string){
	"symbolic link": func(t *testing.T, path, secret string) {
		must(t, os.WriteFile(secret, []byte("secret"), 0o600))
		must(t, os.Symlink(secret, path))
	},
	"dangling symbolic link":      func(t *testing.T, path, secret string) { must(t, os.Symlink(secret, path)) },
	"symbolic link to directory":  func(t *testing.T, path, secret string) { must(t, os.Symlink(filepath.Dir(secret), path)) },
	"symbolic link to the device": func(t *testing.T, path, _ string) { must(t, os.Symlink(os.DevNull, path)) },
	"hard link": func(t *testing.T, path, secret string) {
		must(t, os.WriteFile(secret, []byte("secret"), 0o600))
		must(t, os.Link(secret, path))
	},
	"directory": func(t *testing.T, path, _ string) { must(t, os.Mkdir(path, 0o700)) },
}

// spring lays a trap, and checks after use that it is as it was.
func spring(t *testing.T, name string, use func(path string)) {
	t.Helper()
	path, secret := filepath.Join(t.TempDir(), "name"), filepath.Join(t.TempDir(), "secret")
	traps[name](t, path, secret)
	before, err := os.Lstat(path)
	must(t, err)
	content, contentErr := os.ReadFile(secret)
	use(path)
	after, err := os.Lstat(path)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("what was there is gone: %v", err)
	}
	now, err := os.ReadFile(secret)
	if string(now) != string(content) || (err == nil) != (contentErr == nil) {
		t.Errorf("the secret was %q (%v) and is %q (%v)", content, contentErr, now, err)
	}
}

func TestTraps(t *testing.T) {
	t.Parallel()
	for name := range traps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, flag := range []int{os.O_RDWR | os.O_CREATE, os.O_WRONLY | os.O_CREATE | os.O_TRUNC, os.O_WRONLY | os.O_CREATE | os.O_APPEND, os.O_RDONLY} {
				spring(t, name, func(path string) {
					if f, err := OpenOwn(path, flag, 0o666); !errors.Is(err, ErrUntrusted) || f != nil {
						t.Errorf("OpenOwn with flag %x: %v", flag, err)
					}
				})
			}
			spring(t, name, func(path string) {
				if lock, err := Try(path); !errors.Is(err, ErrUntrusted) || lock != nil {
					t.Errorf("Try: %v", err)
				}
				if lock, err := Acquire(t.Context(), path); !errors.Is(err, ErrUntrusted) || lock != nil {
					t.Errorf("Acquire: %v", err)
				}
				if lock, err := AcquireShared(t.Context(), path); !errors.Is(err, ErrUntrusted) || lock != nil {
					t.Errorf("AcquireShared: %v", err)
				}
			})
			if name != "directory" {
				spring(t, name, func(path string) {
					if err := PrivateDir(path); !errors.Is(err, ErrUntrusted) {
						t.Errorf("PrivateDir: %v", err)
					}
				})
			}
		})
	}
}

func TestOpenOwn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if _, err := OpenOwn(path, os.O_RDWR, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that does not exist: %v", err)
	}
	for _, step := range []struct {
		flag       int
		text, want string
	}{
		{os.O_RDWR | os.O_CREATE, "abc", "abc"},
		{os.O_RDWR | os.O_CREATE, "x", "xbc"},
		{os.O_WRONLY | os.O_APPEND, "d", "xbcd"},
		{os.O_WRONLY | os.O_TRUNC, "e", "e"},
	} {
		f, err := OpenOwn(path, step.flag, 0o640)
		must(t, err)
		_, err = f.WriteString(step.text)
		must(t, errors.Join(err, f.Close()))
		if got, err := os.ReadFile(path); err != nil || string(got) != step.want {
			t.Errorf("%+v: got %q, %v", step, got, err)
		}
	}
}

func TestPrivateDir(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dir")
	for range 2 {
		must(t, PrivateDir(path))
	}
	if err := PrivateDir(filepath.Join(path, "a", "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the directory above: %v", err)
	}
}

// A file system may show all files as those of another user.
func TestIsOwner(t *testing.T) {
	t.Parallel()
	self := os.Geteuid()
	failed := errors.New("read-only")
	for _, tt := range []struct {
		owner, ofNew int
		err          error
		want         bool
	}{
		{self, self, nil, true},
		{self, 0, failed, true},
		{self + 1, self, nil, false},
		{self + 1, self + 1, nil, true},
		{self + 1, self + 2, nil, false},
		{self + 1, 0, failed, false},
	} {
		if got := isOwner(tt.owner, func() (int, error) { return tt.ofNew, tt.err }); got != tt.want {
			t.Errorf("%+v: got %v", tt, got)
		}
	}
}
