package tarball

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// TestCut cuts a tar between its members, which archive/tar takes for its end.
func TestCut(t *testing.T) {
	t.Parallel()
	var whole bytes.Buffer
	w := tar.NewWriter(&whole)
	for _, member := range []struct{ name, text string }{{"a", "text"}, {"b", ""}, {"c", string(make([]byte, 512))}, {"d", "text"}} {
		if err := w.WriteHeader(&tar.Header{Name: member.name, Size: int64(len(member.text)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, member.text)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	unmarked := whole.Len() // some programs write no end
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for size, cut := range map[int]bool{700: true, 1024: true, 1536: true, 2560: true, unmarked - 100: true, unmarked: true, unmarked + 512: false, whole.Len(): false} {
		files, err := Index(bytes.NewReader(whole.Bytes()[:size]))
		if err != nil {
			t.Errorf("%d bytes: %v", size, err)
			continue
		}
		if _, err := files.Lookup("a"); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		_, err = files.Lookup("e")
		if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, content.ErrIntegrity) != cut {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
