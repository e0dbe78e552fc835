package registry

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
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
