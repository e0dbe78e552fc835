package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"testing"
	"time"
)

var modified = time.Date(2026, 11, 22, 1, 2, 4, 0, time.UTC)

func TestArchives(t *testing.T) {
	files := []file{{"d/z", 0o755, []byte("program")}, {"d/README.md", 0o644, []byte("text")}}
	reordered := []file{files[1], files[0]}
	want := []file{files[1], files[0]}

	for _, tc := range []struct {
		name string
		pack func([]file, time.Time) ([]byte, error)
		read func(*testing.T, []byte) []file
	}{
		{"tar.gz", tarred, untar},
		{"zip", zipped, unzip},
	} {
		t.Run(tc.name, func(t *testing.T) {
			first, err := tc.pack(files, modified)
			if err != nil {
				t.Fatal(err)
			}
			got := tc.read(t, first)
			if !slices.EqualFunc(got, want, func(a, b file) bool {
				return a.name == b.name && a.mode == b.mode && bytes.Equal(a.data, b.data)
			}) {
				t.Errorf("archive holds %v, want %v", got, want)
			}
			second, err := tc.pack(reordered, modified.In(time.FixedZone("elsewhere", 3600)))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first, second) {
				t.Error("the same files in another order and time zone give other bytes")
			}
		})
	}
}

func untar(t *testing.T, archive []byte) (files []file) {
	t.Helper()
	unpacked, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(unpacked); ; {
		header, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(modified) {
			t.Errorf("%s has the time %s, want %s", header.Name, header.ModTime, modified)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{header.Name, header.FileInfo().Mode(), data})
	}
}

func unzip(t *testing.T, archive []byte) (files []file) {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range r.File {
		if !entry.Modified.Equal(modified) {
			t.Errorf("%s has the time %s, want %s", entry.Name, entry.Modified, modified)
		}
		content, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{entry.Name, entry.Mode(), data})
	}
	return files
}
