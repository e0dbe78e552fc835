package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestCommitNewUnsynced has the disk refuse to sync a file: it does not appear. A named pipe stands for the file, as it
// cannot be synced.
func TestCommitNewUnsynced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	temp, path := filepath.Join(dir, "temp"), filepath.Join(dir, "file")
	must(t, syscall.Mkfifo(temp, 0o600))
	pipe, err := os.OpenFile(temp, os.O_RDWR, 0)
	must(t, err)
	f := &File{File: pipe, path: path}
	if err := f.CommitNew(); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("files %v", left)
	}
}
