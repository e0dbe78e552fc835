package media

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/memory"
)

// TestKilledWhileSealing resumes an export that was killed when it had fetched everything: while it named the parts,
// before it described them, and before it removed its own files.
func TestKilledWhileSealing(t *testing.T) {
	w := world{"a.example/web": {Store: memory.New("web")}}
	w["a.example/web"].put(t, "1", 1, 3<<19, 3<<19)
	_, c := smallWorld(t)
	c.Images = c.Images[:1]
	whole := t.TempDir()
	s, err := export(t, w, c, whole, MinPartSize)
	check(t, err)
	want := readAll(t, whole)
	journal := journalTitle(s.ID, MinPartSize) + "\n"
	var readers []io.Reader
	for _, part := range s.Parts {
		readers = append(readers, bytes.NewReader(want[part.Name]))
	}
	for in := tar.NewReader(io.MultiReader(readers...)); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		check(t, err)
		if hex, ok := strings.CutPrefix(header.Name, "blobs/sha256/"); ok && hex != "" {
			journal += "done sha256:" + hex + "\n"
		}
	}
	for name, named := range map[string]int{"naming": 1, "describing": len(s.Parts), "removing": len(s.Parts)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, data := range want {
				path := filepath.Join(dir, file)
				part := slices.IndexFunc(s.Parts, func(p SetPart) bool { return p.Name == file })
				switch {
				case part >= named:
					path += partialSuffix
				case part < 0 && name != "removing":
					continue // not described yet
				}
				check(t, os.WriteFile(path, data, 0o666))
			}
			check(t, os.WriteFile(filepath.Join(dir, journalFile), []byte(journal), 0o600))
			check(t, os.WriteFile(filepath.Join(dir, lockFile), nil, 0o600))
			_, err := export(t, w, c, dir, MinPartSize)
			check(t, err)
			got := readAll(t, dir)
			for file, data := range want {
				if !bytes.Equal(got[file], data) {
					t.Errorf("%s has other bytes", file)
				}
				delete(got, file)
			}
			for file := range got {
				t.Errorf("left behind: %s", file)
			}
		})
	}
}
