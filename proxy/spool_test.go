package proxy

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSpool keeps an answer in a file that counts against the size of the cache, and goes when it was read.
func TestSpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache, err := OpenCache(dir, 2*spoolStep)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	h := New(cache, Options{})
	defer h.Close()
	s, err := h.spools.of("registry.example")(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", spoolStep)
	for i := range 2 {
		if n, err := s.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("write %d: %d, %v", i, n, err)
		}
	}
	if n, err := s.Write([]byte("y")); n != 0 || !errors.Is(err, errSpoolFull) {
		t.Errorf("a byte more than the cache may have: %d, %v", n, err)
	}
	if used, _, _ := cache.usage(); used != 2*spoolStep {
		t.Errorf("%d bytes are used", used)
	}
	if data, err := io.ReadAll(s); err != nil || string(data) != text+text {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(filepath.Join(dir, partialDir))
	if used, _, _ := cache.usage(); used != 0 || err != nil || len(left) != 0 {
		t.Errorf("%d bytes are used, %d files are left, %v", used, len(left), err)
	}
}
