package media

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestFlusherKeepsErrors has a file fail in a flush, and not in the one after it.
func TestFlusherKeepsErrors(t *testing.T) {
	t.Parallel()
	var ps parts
	for i := range 2 {
		file, err := os.Create(filepath.Join(t.TempDir(), "part"))
		check(t, err)
		defer file.Close()
		ps = append(ps, part{file, int64(i) * flushSize, flushSize})
	}
	var f flusher
	f.wrote(ps, 0, flushSize-1) // is not enough
	check(t, f.wait())
	check(t, ps[1].file.Close())
	f.wrote(ps, 10, 11)
	check(t, f.wait()) // the file that was closed has nothing of it
	f.wrote(ps, flushSize-1, 2*flushSize)
	if err := f.wait(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a failed flush: %v", err)
	}
	f.wrote(ps, 0, flushSize)
	if err := f.wait(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after a flush that did not fail: %v", err)
	}
}
