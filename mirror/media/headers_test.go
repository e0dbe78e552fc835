package media

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// What is between the files of a tar is read before anything is imported, from one file and from parts.
func TestHeadersAndPaddingAreChecked(t *testing.T) {
	w, c := smallWorld(t)
	dir := t.TempDir()
	_, err := Export(t.Context(), c, w, dir, ExportOptions{})
	check(t, err)
	file := filepath.Join(t.TempDir(), "set.tar")
	_, err = ExportFile(t.Context(), c, w, file, ExportOptions{})
	check(t, err)
	for _, test := range []struct{ set, tar string }{{file, file}, {dir, filepath.Join(dir, tarFile)}} {
		r, err := Open(test.set, ReadOptions{})
		check(t, err)
		check(t, r.Close())
		data, err := os.ReadFile(test.tar)
		check(t, err)
		places := map[string]int{"header": bytes.LastIndex(data, []byte("blobs/sha256/")) + 200}
		for at := 0; at < len(data); at += block {
			size, err := strconv.ParseInt(string(bytes.Trim(data[at+124:at+135], "\x00 ")), 8, 64)
			if bytes.HasPrefix(data[at:], []byte("blobs/sha256/")) && err == nil && size%block > 0 {
				places["padding"] = at + block + int(size)
			}
		}
		if len(places) < 2 {
			t.Fatal("no file has padding")
		}
		for name, at := range places {
			data[at] ^= 1
			check(t, os.WriteFile(test.tar, data, 0o600))
			if r, err := Open(test.set, ReadOptions{}); !errors.Is(err, content.ErrIntegrity) {
				t.Errorf("%s: a wrong bit in a %s: %v", test.tar, name, err)
				if err == nil {
					check(t, r.Close())
				}
			}
			data[at] ^= 1
		}
	}
}
