package media

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/mirror"
	"github.com/ecrkit/ecrkit/mirror/internal/parts"
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
	ps := parts.Parts{{File: file, Size: 1000}}
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

// TestPartsHaveTheLimit cuts a set into parts of exactly the size that was asked for, whatever blobs they cut.
func TestPartsHaveTheLimit(t *testing.T) {
	t.Parallel()
	w := world{"a.example/web": {Store: memory.New("web")}}
	w["a.example/web"].put(t, "1", 1, 3<<20+1, 5<<19)
	c := mirror.Config{Images: []mirror.ImageRules{{From: "a.example/web"}}}
	for _, limit := range []int64{MinPartSize, MinPartSize + 1, 3<<19 + 511, 1 << 30} {
		s, err := export(t, w, c, t.TempDir(), limit)
		check(t, err)
		var sum int64
		for i, part := range s.Parts {
			sum += part.Size
			if last := i == len(s.Parts)-1; part.Size > limit || !last && part.Size != limit {
				t.Errorf("limit %d: part %d of %d has %d bytes", limit, i+1, len(s.Parts), part.Size)
			}
		}
		if want := int((sum + limit - 1) / limit); len(s.Parts) != want {
			t.Errorf("limit %d: %d parts, want %d", limit, len(s.Parts), want)
		}
	}
}

// TestChangedParts cuts a part of a set, and writes to another one, after the set was opened.
func TestChangedParts(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t)
	dir := t.TempDir()
	s, err := export(t, w, c, dir, 1<<20)
	check(t, err)
	r, err := Open(dir, ReadOptions{})
	check(t, err)
	defer r.Close()
	if changed := r.Changed(); changed != nil {
		t.Errorf("changed at first: %q", changed)
	}
	path := func(i int) string { return filepath.Join(dir, s.Parts[i].Name) }
	check(t, os.Truncate(path(0), 100))
	check(t, os.Chtimes(path(2), time.Time{}, time.Unix(1, 0)))
	if changed := r.Changed(); !slices.Equal(changed, []string{path(0), path(2)}) {
		t.Errorf("changed: %q", changed)
	}
	// A read behind the end says where the end is.
	if _, err := r.parts.ReadAt(make([]byte, 10), 1000); err == nil || !strings.Contains(err.Error(), "it ends at byte 100 now") {
		t.Error(err)
	}
}
