package files

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestMakeDirs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "c")
	for range 2 {
		must(t, MakeDirs(path, 0o700))
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			t.Fatal(info, err)
		}
	}
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, []byte("x"), 0o600))
	if err := MakeDirs(file, 0o700); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("where a file is: %v", err)
	}
	must(t, SyncTree(dir))
	if err := SyncTree(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a directory that does not exist: %v", err)
	}
}
