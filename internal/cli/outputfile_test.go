package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOutputFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "report"), filepath.Join(dir, "link")
	content := func(want string, count int) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		check(t, err)
		if got, err := os.ReadFile(path); err != nil || string(got) != want || len(entries) != count {
			t.Errorf("got %q, %v; want %q; files %v", got, err, want, entries)
		}
	}
	check(t, new(App).writeOutput(path, []byte("first, longer")))
	content("first, longer", 1)
	o, err := new(App).createOutput(path)
	check(t, err)
	o.discard()
	content("first, longer", 1)
	check(t, new(App).writeOutput(path, []byte("second")))
	content("second", 1)
	check(t, os.Symlink(path, link))
	o, err = new(App).createOutput(link)
	check(t, err)
	o.discard()
	content("second", 2)
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced before the file was complete: %v", err)
	}
	check(t, new(App).writeOutput(link, []byte("third")))
	content("second", 2)
	if data, err := os.ReadFile(link); err != nil || string(data) != "third" {
		t.Errorf("in the place of the link: %q, %v", data, err)
	}
	check(t, os.Symlink(os.DevNull, filepath.Join(dir, "device")))
	check(t, new(App).writeOutput(filepath.Join(dir, "device"), []byte("x")))
	content("second", 3)
	if _, err := new(App).createOutput(filepath.Join(dir, "none", "report")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the directory: %v", err)
	}
	if _, err := new(App).createOutput(dir); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("a directory: %v", err)
	}
	check(t, new(App).writeOutput(os.DevNull, []byte("x")))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDerivedOutput has a link, also one that leads nowhere, and a directory lie under a name that the user did not
// choose.
func TestDerivedOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	check(t, os.WriteFile(victim, []byte("precious"), 0o600))
	check(t, os.Symlink(victim, filepath.Join(dir, "link")))
	check(t, os.Symlink(filepath.Join(dir, "new"), filepath.Join(dir, "dangling")))
	check(t, os.Mkdir(filepath.Join(dir, "directory"), 0o700))
	for _, name := range []string{"link", "dangling", "directory"} {
		if _, err := createDerived(filepath.Join(dir, name)); !errors.As(err, new(usageError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	check(t, os.Link(victim, filepath.Join(dir, "hard")))
	for _, name := range []string{"hard", "fresh"} {
		o, err := createDerived(filepath.Join(dir, name))
		check(t, err)
		check(t, o.commit([]byte("signature")))
	}
	if data, err := os.ReadFile(victim); err != nil || string(data) != "precious" {
		t.Errorf("the victim has %q, %v", data, err)
	}
}
