package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/trap"
)

// TestTraps opens and locks what others have put there: it is refused, and stays.
func TestTraps(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(path string) error{
		"OpenOwn":           opening(os.O_RDWR | os.O_CREATE),
		"OpenOwn to cut":    opening(os.O_WRONLY | os.O_CREATE | os.O_TRUNC),
		"OpenOwn to append": opening(os.O_WRONLY | os.O_CREATE | os.O_APPEND),
		"OpenOwn to read":   opening(os.O_RDONLY),
		"Try":               func(path string) error { _, err := Try(path); return err },
		"Acquire":           func(path string) error { _, err := Acquire(t.Context(), path); return err },
		"AcquireShared":     func(path string) error { _, err := AcquireShared(t.Context(), path); return err },
		"PrivateDir":        PrivateDir,
	} {
		trap.Each(t, func(t *testing.T, kind string, lay func(string)) {
			path := filepath.Join(t.TempDir(), "name")
			lay(path)
			before, err := os.Lstat(path)
			must(t, err)
			if err := open(path); !errors.Is(err, ErrUntrusted) && (name != "PrivateDir" || kind != trap.Directory) {
				t.Errorf("%s: %v", name, err)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("%s: what was there is gone: %v", name, err)
			}
		})
	}
}

func opening(flag int) func(string) error {
	return func(path string) error { _, err := OpenOwn(path, flag, 0o666); return err }
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

func TestSame(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, os.MkdirAll("dir/sub", 0o700))
	must(t, os.WriteFile("dir/file", nil, 0o600))
	must(t, os.Symlink("dir", "link"))
	must(t, os.Symlink("dir/file", "filelink"))
	dir, err := os.Getwd()
	must(t, err)
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"dir/file", "dir/file", true},
		{"dir/file", "./dir/sub/../file", true},
		{"dir/file", filepath.Join(dir, "dir", "file"), true},
		{"dir/file", "link/file", true},
		{"dir/file", "filelink", true},
		{"dir/new", "link/new", true},
		{"dir/new/a/b", "link/new/a/b", true},
		{"new/a", "./new/a", true},
		{".", dir, true},
		{"dir/file", "dir/other", false},
		{"dir/new", "dir/new/new", false},
		{"dir", "link/sub", false},
		{"", "", false},
		{"", ".", false},
	} {
		if got := Same(tt.a, tt.b); got != tt.want || Same(tt.b, tt.a) != got {
			t.Errorf("%q and %q: %v", tt.a, tt.b, got)
		}
	}
}
