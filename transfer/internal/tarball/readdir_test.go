package tarball

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"testing"
)

func TestReadDir(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "./d/b", Typeflag: tar.TypeReg, Size: 3},
		{Name: "d/deep/c", Typeflag: tar.TypeReg},
		{Name: "d/a", Typeflag: tar.TypeSymlink, Linkname: "b"},
		{Name: "d/out", Typeflag: tar.TypeSymlink, Linkname: "../../b"},
		{Name: "top", Typeflag: tar.TypeReg},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := Index(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string][]string{"d": {"a", "b"}, "d/deep": {"c"}, ".": {"top"}} {
		entries, err := fs.ReadDir(files, dir)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("%s: %v, %v; want %v", dir, names, err, want)
		}
	}
	entries, _ := fs.ReadDir(files, "d")
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Size() != 3 || !info.Mode().IsRegular() {
			t.Errorf("%s: %v, %v", e.Name(), info, err)
		}
	}
	if _, err := fs.ReadDir(files, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}
