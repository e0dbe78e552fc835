package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// refused is how a file system answers that does not do what is asked.
func refused(from, to string) error {
	return &os.LinkError{Op: "link", Old: from, New: to, Err: errors.ErrUnsupported}
}

// TestCommitNewWithoutLinks has many writers of one file on file systems without hard links, and without renaming that replaces
// nothing. One of them has the name.
func TestCommitNewWithoutLinks(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]newName{
		"links":   {os.Link, renameNew},
		"renames": {refused, renameNew},
		"neither": {refused, refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			won := map[string]bool{}
			var mu sync.Mutex
			var group sync.WaitGroup
			for i := range 32 {
				group.Go(func() {
					text := fmt.Sprint(i)
					f, err := Create(path, 0o600)
					if err == nil {
						_, err = f.WriteString(text)
					}
					if err == nil {
						err = f.commitNew(way)
					}
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						won[text] = true
					} else if !errors.Is(err, fs.ErrExist) {
						t.Error(err)
					}
				})
			}
			group.Wait()
			data, err := os.ReadFile(path)
			if got := names(t, dir); err != nil || len(won) != 1 || !won[string(data)] || len(got) != 1 {
				t.Errorf("%v committed, %q is there, %v; files %v", won, data, err, got)
			}
		})
	}
}

// TestCommitNewFails has a file system refuse all: the name stays free.
func TestCommitNewFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	f, err := Create(path, 0o600)
	must(t, err)
	way := newName{refused, func(from, to string) error {
		must(t, os.Remove(from)) // the last rename fails
		return refused(from, to)
	}}
	if err := f.commitNew(way); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("files %v", got)
	}
}
