package media

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestPartThatGetsShorter reads a part of which bytes are gone since it was opened, as on a medium that was pulled out.
func TestPartThatGetsShorter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "images.tar.001")
	check(t, os.WriteFile(path, make([]byte, 1000), 0o600))
	file, err := os.Open(path)
	check(t, err)
	defer file.Close()
	ps := parts{{file, 0, 1000}}
	p := make([]byte, 600)
	if n, err := ps.ReadAt(p, 400); n != 600 || err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("whole: %d bytes, %v", n, err)
	}
	if n, err := ps.ReadAt(p, 500); n != 500 || !errors.Is(err, io.EOF) || errors.Is(err, content.ErrIntegrity) {
		t.Errorf("beyond the end: %d bytes, %v", n, err)
	}
	check(t, os.Truncate(path, 700))
	n, err := ps.ReadAt(p, 400)
	if n != 300 || !errors.Is(err, content.ErrIntegrity) || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "images.tar.001: ") || !strings.Contains(err.Error(), "it ends at byte 700 now") {
		t.Errorf("shorter: %d bytes, %v", n, err)
	}
}
