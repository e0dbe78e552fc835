package registry

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ecrkit/ecrkit/internal/files"
)

// What a killed process has left of a new database is removed, and a database that exists is used.
func TestNewDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := filepath.Join(dir, files.TempPrefix+"left.tmp")
	if err := os.WriteFile(left, []byte("a part"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := Open(dir, Options{Sync: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if names := namesIn(t, dir); names != "blobs metadata.db uploads" {
			t.Errorf("in the directory: %s", names)
		}
	}
}

// Of several processes that make a database at the same time, all get the same one.
func TestNewDatabaseTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "metadata.db")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := newDatabase(path); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if names := namesIn(t, dir); names != "metadata.db" {
		t.Errorf("in the directory: %s", names)
	}
}

func namesIn(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}
