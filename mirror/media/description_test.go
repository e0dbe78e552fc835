package media

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// rename changes a repository's name in a file, so that it still makes sense.
func rename(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	check(t, err)
	check(t, os.WriteFile(path, bytes.Replace(data, []byte(`"team/db"`), []byte(`"team/dc"`), 1), 0o666))
}

// TestDamagedDescription changes set.json so that it still makes sense: it is found, nothing can be imported
// under another name, and a repair does not spread it.
func TestDamagedDescription(t *testing.T) {
	w, c := newWorld(t)
	dir := t.TempDir()
	_, err := export(t, w, c, dir, 0)
	check(t, err)
	rename(t, filepath.Join(dir, SetFile))
	before := readAll(t, dir)
	for _, read := range []func() error{
		func() error { _, err := Verify(t.Context(), dir, ReadOptions{}); return err },
		func() error { _, err := Open(dir, ReadOptions{}); return err },
		func() error { _, err := ReadSet(dir); return err },
		func() error { _, _, err := Repair(t.Context(), dir, ReadOptions{}); return err },
		func() error { _, err := export(t, w, c, dir, 0); return err },
	} {
		if err := read(); !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), SetFile) {
			t.Error(err)
		}
	}
	same(t, dir, before)
}

// TestForgedIdentifier has a set whose identifier is a text of lines: it is printed nowhere.
func TestForgedIdentifier(t *testing.T) {
	w, c := newWorld(t)
	dir := t.TempDir()
	s, err := export(t, w, c, dir, 0)
	check(t, err)
	s.ID = "sha256:1\nverified"
	check(t, s.write(dir, nil))
	if _, err := ReadSet(dir); !errors.Is(err, content.ErrIntegrity) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

// TestDamagedDescriptionRepaired does that in a set with parity, to each of the three files about it.
func TestDamagedDescriptionRepaired(t *testing.T) {
	dir, _, want := protected(t, 0.1, 1<<20)
	for _, name := range []string{SetFile, setCopyFile, sumsFile} {
		path := filepath.Join(dir, name)
		if name == sumsFile {
			flip(t, path, int64(bytes.Index(want[name], []byte(SetFile))-4), 1)
		} else {
			rename(t, path)
		}
		if _, err := Verify(t.Context(), dir, ReadOptions{}); !errors.Is(err, content.ErrIntegrity) || !strings.HasPrefix(err.Error(), name+":") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		r, err := Open(dir, ReadOptions{})
		check(t, err)
		if !slices.ContainsFunc(r.Images, func(i Image) bool { return i.Name == "team/db" }) {
			t.Errorf("%s: opened with another name", name)
		}
		check(t, r.Close())
		if _, repaired, err := Repair(t.Context(), dir, ReadOptions{}); err != nil || !slices.Equal(repaired, []string{name}) {
			t.Errorf("%s: repaired %v: %v", name, repaired, err)
		}
		same(t, dir, want)
	}
}

// TestInterrupted says why there is no set.
func TestInterrupted(t *testing.T) {
	w, c := newWorld(t)
	dir := t.TempDir()
	for name := range w {
		w[name].Cut = func(first, n int64) int64 { return min(n, 2<<20-first) } // the large layer breaks off
	}
	if _, err := export(t, w, c, dir, 0); err == nil {
		t.Fatal("the export has succeeded")
	}
	for name := range w {
		w[name].Cut = nil
	}
	if _, err := Open(dir, ReadOptions{}); !errors.Is(err, ErrInterrupted) || !errors.Is(err, ErrNoSet) {
		t.Error(err)
	}
	if _, err := Verify(t.Context(), dir, ReadOptions{}); !errors.Is(err, ErrInterrupted) {
		t.Error(err)
	}
	_, err := export(t, w, c, dir, 0)
	check(t, err)
}

// TestVerifyDescription verifies no set whose description is not that of its tar, although all sums are right: an import
// refuses it.
func TestVerifyDescription(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t)
	dir := t.TempDir()
	s, err := export(t, w, c, dir, 0)
	check(t, err)
	_, err = Verify(t.Context(), dir, ReadOptions{})
	check(t, err)
	for name, change := range map[string]func(s *Set){
		"another ID":       func(s *Set) { s.ID = digest.FromString("another") },
		"a blob more":      func(s *Set) { s.Blobs++ },
		"an image less":    func(s *Set) { s.Images = s.Images[1:] },
		"a tag":            func(s *Set) { s.Images[0].Tags = []string{"other"} },
		"a number of less": func(s *Set) { s.Blobs = -1 },
	} {
		changed := s
		changed.Images = slices.Clone(s.Images)
		change(&changed)
		check(t, changed.write(dir, nil))
		if _, err := Verify(t.Context(), dir, ReadOptions{}); !errors.Is(err, content.ErrIntegrity) {
			t.Errorf("%s: %v", name, err)
		}
	}
	check(t, s.write(dir, nil))
	_, err = Verify(t.Context(), dir, ReadOptions{})
	check(t, err)
}
