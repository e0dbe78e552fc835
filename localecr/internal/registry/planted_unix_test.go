//go:build unix

package registry

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ecrkit/ecrkit/internal/files"
)

// TestPlantedStore opens directories in which somebody else has put a link or a pipe: nothing is written or removed
// elsewhere, and nothing is waited for.
func TestPlantedStore(t *testing.T) {
	t.Parallel()
	for _, sync := range []bool{false, true} {
		for _, name := range []string{"uploads", "blobs", "blobs/sha256", "metadata.db", "unsynced"} {
			for _, kind := range []string{"link", "link to nothing", "pipe"} {
				dir, elsewhere := t.TempDir(), t.TempDir()
				check := func(err error) {
					t.Helper()
					if err != nil {
						t.Fatal(err)
					}
				}
				s, err := Open(dir, Options{})
				check(err)
				check(s.Close())
				path, precious := filepath.Join(dir, name), filepath.Join(elsewhere, "precious")
				isDir := !strings.Contains(name, ".") && name != "unsynced"
				if isDir {
					check(os.Mkdir(precious, 0o700))
					check(os.WriteFile(filepath.Join(precious, "x"), []byte("x"), 0o600))
				} else {
					check(os.WriteFile(precious, []byte("x"), 0o600))
				}
				check(os.RemoveAll(path))
				switch {
				case kind == "link":
					check(os.Symlink(precious, path))
				case kind == "pipe":
					check(syscall.Mkfifo(path, 0o600))
				default:
					check(os.Symlink(filepath.Join(elsewhere, "new"), path))
				}
				s, err = Open(dir, Options{Sync: sync})
				if err == nil {
					err = s.Close()
				}
				if !errors.Is(err, files.ErrUntrusted) && !(sync && name == "unsynced") {
					t.Errorf("%s is a %s: %v", name, kind, err)
				}
				if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) != 1 {
					t.Errorf("%s is a %s: elsewhere are %v, %v", name, kind, entries, err)
				}
				if isDir {
					precious = filepath.Join(precious, "x")
				}
				if data, err := os.ReadFile(precious); err != nil || string(data) != "x" {
					t.Errorf("%s is a %s: elsewhere is %q, %v", name, kind, data, err)
				}
			}
		}
	}
}

// TestOthersDirectory opens a directory that is not a store, such as an OCI layout.
func TestOthersDirectory(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"uploads/photo.jpg", "blobs/sha256/0123"} {
		path := filepath.Join(t.TempDir(), name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		dir := strings.TrimSuffix(path, name)
		s, err := Open(dir, Options{})
		if err == nil {
			err = errors.Join(errors.New("it is opened"), s.Close())
		}
		if !strings.Contains(err.Error(), "not the data of a local ECR") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
}
