package transfer

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// tarOf packs a directory, each name behind prefix.
func tarOf(t *testing.T, dir, prefix string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	check(t, filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		h := &tar.Header{Typeflag: tar.TypeDir, Name: prefix + filepath.ToSlash(rel) + "/", Mode: 0o755}
		var content []byte
		if !e.IsDir() {
			if content, err = os.ReadFile(name); err != nil {
				return err
			}
			h = &tar.Header{Typeflag: tar.TypeReg, Name: prefix + filepath.ToSlash(rel), Mode: 0o644, Size: int64(len(content))}
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	}))
	check(t, w.Close())
	return b.Bytes()
}

func TestCopyArchive(t *testing.T) {
	dir, _, index := newFixture(t, 2)
	for _, prefix := range []string{"", "./", "/"} {
		t.Run(prefix, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.tar")
			check(t, os.WriteFile(file, tarOf(t, dir, prefix), 0o666))
			a, err := OpenArchive(t.Context(), file, "")
			check(t, err)
			defer a.Close()
			dst := filepath.Join(t.TempDir(), "dst")
			result := mustCopy(t, a, NewLayout(dst), Options{Reference: "index", Tags: []string{"x"}})
			if result.Digest != digestOf(t, index) || result.BlobsSent != 6 {
				t.Errorf("result %+v", result)
			}
			validateLayout(t, dst)
		})
	}
}

func TestArchiveRefuses(t *testing.T) {
	dir, _, _ := newFixture(t, 1)
	whole := tarOf(t, dir, "")
	open := func(data []byte) error {
		file := filepath.Join(t.TempDir(), "x.tar")
		check(t, os.WriteFile(file, data, 0o666))
		a, err := OpenArchive(t.Context(), file, "")
		if err != nil {
			return err
		}
		defer a.Close()
		_, err = Copy(t.Context(), a, NewLayout(filepath.Join(t.TempDir(), "d")), Options{Reference: "index"})
		return err
	}
	if err := open(whole[:len(whole)/2]); !errors.Is(err, ErrIntegrity) {
		t.Errorf("half a tar: %v", err)
	}
	if err := open([]byte("no tar at all, but text that is long enough to be looked at as one")); !errors.Is(err, ErrIntegrity) {
		t.Errorf("text: %v", err)
	}
	if err := open(nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := OpenArchive(t.Context(), filepath.Join(t.TempDir(), "none"), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func FuzzIndexTar(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "oci-layout", Mode: 0o644, Size: 3})
	_, _ = w.Write([]byte("abc"))
	_ = w.Close()
	f.Add(b.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := indexTar(bytes.NewReader(data))
		if err != nil {
			return
		}
		for name := range files.files {
			_, _ = readFile(files, name, 1<<10)
		}
		for name := range files.links {
			_, _ = readFile(files, name, 1<<10)
		}
		kindOf(files)
	})
}
