package registry

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// A database of which only the head is on the disk, or another file in its place, is refused with an error, not by a panic.
func TestOpenDamagedDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "metadata.db")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[2*os.Getpagesize():]) // all but the two heads
	// After the panic, the file stays locked by this process.
	for _, content := range [][]byte{[]byte("not a database"), data} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("database of %d bytes: %v", len(content), err)
		}
	}
}

// A page that is damaged while the store is open, or behind the end of a file that was cut, is an error of who reads it, and
// ends nothing else.
func TestDamagedWhileOpen(t *testing.T) {
	t.Parallel()
	damages := map[string]func(path string, size int64) error{
		"cut": func(path string, _ int64) error { return os.Truncate(path, 2*int64(os.Getpagesize())) },
		"cleared": func(path string, size int64) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			head := 2 * int64(os.Getpagesize())
			_, err = f.WriteAt(make([]byte, size-head), head)
			return errors.Join(err, f.Close())
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s, err := Open(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			path := filepath.Join(dir, "metadata.db")
			info, err := os.Stat(path)
			if err == nil {
				err = damage(path, info.Size())
			}
			if err != nil {
				t.Fatal(err)
			}
			err = s.db.View(func(tx *bolt.Tx) error {
				return tx.Bucket(bucketBlobs).ForEach(func(_, _ []byte) error { return nil })
			})
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("want %v with the name of the file, got %v", ErrDamaged, err)
			}
		})
	}
}
