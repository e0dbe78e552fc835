package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/trap"
)

// names lists a directory.
func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(string, []byte, fs.FileMode) error{"synced": WriteFile, "unsynced": WriteFileUnsynced} {
		dir := t.TempDir()
		path := filepath.Join(dir, "file")
		for _, text := range []string{"one", "", "three"} {
			must(t, write(path, []byte(text), 0o600))
			if got, err := os.ReadFile(path); err != nil || string(got) != text {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("%s: files %v", name, got)
		}
		if err := write(filepath.Join(dir, "none", "file"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: without the directory: %v", name, err)
		}
	}
}

// A link at the path is replaced, and what it leads to stays.
func TestWriteFileTraps(t *testing.T) {
	t.Parallel()
	trap.Each(t, func(t *testing.T, kind string, lay func(string)) {
		dir := t.TempDir()
		path := filepath.Join(dir, "file")
		lay(path)
		err := WriteFile(path, []byte("new"), 0o600)
		if got := names(t, dir); len(got) != 1 || (err == nil) != (kind != trap.Directory) {
			t.Errorf("%v, files %v", err, got)
		}
		if info, err := os.Lstat(path); err != nil || kind != trap.Directory && !info.Mode().IsRegular() {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	})
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	must(t, os.WriteFile(path, []byte("old"), 0o600))
	f, err := Create(path, 0o600)
	must(t, err)
	_, err = f.WriteString("half")
	must(t, err)
	f.Discard()
	f.Discard()
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" || len(names(t, dir)) != 1 {
		t.Errorf("got %q, %v; files %v", got, err, names(t, dir))
	}
	f, err = Create(path, 0o600)
	must(t, err)
	must(t, f.Commit())
	f.Discard()
	if got, err := os.ReadFile(path); err != nil || string(got) != "" {
		t.Errorf("Discard after Commit: %q, %v", got, err)
	}
}

func TestCommitNew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	var won int
	var mu sync.Mutex
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			f, err := Create(path, 0o600)
			if err == nil {
				_, err = fmt.Fprint(f, i)
			}
			if err == nil {
				err = f.CommitNew()
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := names(t, dir); won != 1 || len(got) != 1 {
		t.Errorf("%d committed; files %v", won, got)
	}
}

func TestCreateAs(t *testing.T) {
	t.Parallel()
	trap.Each(t, func(t *testing.T, kind string, lay func(string)) {
		dir := t.TempDir()
		path, temp := filepath.Join(dir, "file"), filepath.Join(dir, "file.tmp")
		lay(temp)
		f, err := CreateAs(temp, path, 0o600)
		if kind == trap.Directory {
			if err == nil || len(names(t, dir)) != 1 {
				t.Errorf("%v, files %v", err, names(t, dir))
			}
			return
		}
		must(t, err)
		_, err = f.WriteString("new")
		must(t, errors.Join(err, f.Commit()))
		if got, err := os.ReadFile(path); err != nil || string(got) != "new" || len(names(t, dir)) != 1 {
			t.Errorf("%q, %v; files %v", got, err, names(t, dir))
		}
	})
}

func TestPublish(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, partial := filepath.Join(dir, "file"), filepath.Join(dir, "partial")
	f, err := OpenOwn(partial, os.O_RDWR|os.O_CREATE, 0o666)
	must(t, err)
	_, err = f.WriteString("content")
	must(t, err)
	must(t, Publish(f, path))
	if got, err := os.ReadFile(path); err != nil || string(got) != "content" || len(names(t, dir)) != 1 {
		t.Errorf("got %q, %v; files %v", got, err, names(t, dir))
	}
	f, err = OpenOwn(partial, os.O_RDWR|os.O_CREATE, 0o666)
	must(t, err)
	if err := Publish(f, filepath.Join(dir, "none", "file")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := f.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file is open after an error: %v", err)
	}
	must(t, os.Remove(partial))
	must(t, os.Symlink(path, partial))
	if f, err = os.Open(partial); err != nil {
		t.Fatal(err)
	}
	if err := Publish(f, filepath.Join(dir, "link")); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a link: %v", err)
	}
}

func TestSyncDir(t *testing.T) {
	t.Parallel()
	must(t, SyncDir(t.TempDir()))
}
