package parts

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestFlusherKeepsErrors has a file fail in a flush, and not in the one after it.
func TestFlusherKeepsErrors(t *testing.T) {
	t.Parallel()
	var ps Parts
	for i := range 2 {
		file, err := os.Create(filepath.Join(t.TempDir(), "part"))
		check(t, err)
		defer file.Close()
		ps = append(ps, Part{file, int64(i) * flushSize, flushSize})
	}
	var f Flusher
	f.Wrote(ps, 0, flushSize-1) // is not enough
	check(t, f.Wait())
	check(t, ps[1].File.Close())
	f.Wrote(ps, 10, 11)
	check(t, f.Wait()) // the file that was closed has nothing of it
	f.Wrote(ps, flushSize-1, 2*flushSize)
	if err := f.Wait(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a failed flush: %v", err)
	}
	f.Wrote(ps, 0, flushSize)
	if err := f.Wait(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after a flush that did not fail: %v", err)
	}
}
