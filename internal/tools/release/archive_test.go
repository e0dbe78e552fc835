package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"runtime/debug"
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

func TestVersionAndTime(t *testing.T) {
	for _, tc := range []struct {
		name        string
		info        debug.BuildInfo
		epoch       string
		wantVersion string
		wantTime    string
	}{
		{name: "no version control", wantVersion: "devel", wantTime: "1980-01-01T00:00:00Z"},
		{name: "devel", info: debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, wantVersion: "devel", wantTime: "1980-01-01T00:00:00Z"},
		{
			name: "tag",
			info: debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
				{Key: "vcs.time", Value: "2026-11-22T01:02:03Z"},
			}},
			wantVersion: "1.2.3", wantTime: "2026-11-22T01:02:03Z",
		},
		{name: "SOURCE_DATE_EPOCH", epoch: "86400", wantVersion: "devel", wantTime: "1970-01-02T00:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("SOURCE_DATE_EPOCH", tc.epoch)
			if got := version(&tc.info); got != tc.wantVersion {
				t.Errorf("version = %q, want %q", got, tc.wantVersion)
			}
			at, err := commitTime(&tc.info)
			if err != nil {
				t.Fatal(err)
			}
			if got := at.Format(time.RFC3339); got != tc.wantTime {
				t.Errorf("time = %s, want %s", got, tc.wantTime)
			}
		})
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if _, err := commitTime(&debug.BuildInfo{}); err == nil {
		t.Error("SOURCE_DATE_EPOCH=yesterday is accepted")
	}
}
