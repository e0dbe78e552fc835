//go:build unix

package proxy

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/internal/files"
)

// TestPlantedCache opens directories in which somebody else has put something: nothing is removed or made elsewhere.
func TestPlantedCache(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", blobsDir, partialDir, grantsDir} {
		for _, plant := range []struct {
			name string
			do   func(path, elsewhere string) error
		}{
			{"a link", func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }},
			{"a link to nothing", func(path, elsewhere string) error { return os.Symlink(filepath.Join(elsewhere, "new"), path) }},
			{"a directory for all to write", func(path, _ string) error { return errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o777)) }},
		} {
			dir, elsewhere := filepath.Join(t.TempDir(), "cache"), t.TempDir()
			precious := filepath.Join(elsewhere, "17")
			check := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			check(os.WriteFile(precious, nil, 0o600))
			if name != "" {
				check(os.Mkdir(dir, 0o700))
			}
			check(plant.do(filepath.Join(dir, name), elsewhere))
			cache, err := OpenCache(dir, 1<<20)
			if err == nil {
				cache.Close()
			}
			if !errors.Is(err, files.ErrUntrusted) {
				t.Errorf("%q is %s: %v", name, plant.name, err)
			}
			if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) != 1 || entries[0].Name() != "17" {
				t.Errorf("%q is %s: elsewhere are %v, %v", name, plant.name, entries, err)
			}
		}
	}
}

// TestOthersFiles opens a directory that has files of somebody else in directories of the same names.
func TestOthersFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	others := []string{filepath.Join(dir, partialDir, "thesis.doc"), filepath.Join(dir, grantsDir, "thesis.doc"), filepath.Join(dir, grantsDir, "list.json")}
	ours := []string{filepath.Join(dir, partialDir, "1717"), filepath.Join(dir, grantsDir, files.TempPrefix+"X.tmp")}
	for _, path := range append(others, ours...) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	cache, err := OpenCache(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	cache.Close()
	for _, path := range others {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	for _, path := range ours {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s stays: %v", path, err)
		}
	}
}
