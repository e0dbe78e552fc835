package delta_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/ecrkit/ecrkit/delta"
)

// openFiles returns how many files of a directory this process has open, be they removed or not.
func openFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	open, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range open {
		if name, err := os.Readlink(fd); err == nil && strings.HasPrefix(name, dir+"/") {
			n++
		}
	}
	return n
}

// TestWholeLeavesNoFile makes the delta of a layer that is so small that the header alone is larger.
func TestWholeLeavesNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := delta.NewWorkspace(dir)
	gz := func(text string) []byte {
		return compress(t, []byte(text), func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	}
	text := strings.Repeat("line\n", 20_000)
	base, err := w.Plaintext(t.Context(), layer(gz(text)))
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	before := openFiles(t, dir)
	_, err = w.Make(t.Context(), layer(gz(text+"end\n")), []*delta.Plaintext{base})
	if !errors.Is(err, delta.ErrWhole) || !strings.Contains(err.Error(), "the delta has") {
		t.Errorf("got %v", err)
	}
	if after := openFiles(t, dir); before == 0 || after != before {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}
