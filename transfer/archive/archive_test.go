package archive

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/internal/tarball"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

func TestCopyArchive(t *testing.T) {
	dir, _, index := fixture.Layout(t, 2)
	for _, prefix := range []string{"", "./", "/"} {
		t.Run(prefix, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.tar")
			fixture.Check(t, os.WriteFile(file, fixture.TarOf(t, dir, prefix), 0o666))
			a, err := Open(t.Context(), file, "")
			fixture.Check(t, err)
			defer a.Close()
			dst := filepath.Join(t.TempDir(), "dst")
			result := mustCopy(t, a, layout.New(dst), transfer.Options{Reference: "index", Tags: []string{"x"}})
			if result.Digest != fixture.DigestOf(t, index) || result.BlobsSent != 6 {
				t.Errorf("result %+v", result)
			}
			fixture.ValidateLayout(t, dst)
		})
	}
}

func TestArchiveRefuses(t *testing.T) {
	dir, _, _ := fixture.Layout(t, 1)
	whole := fixture.TarOf(t, dir, "")
	open := func(data []byte) error {
		file := filepath.Join(t.TempDir(), "x.tar")
		fixture.Check(t, os.WriteFile(file, data, 0o666))
		a, err := Open(t.Context(), file, "")
		if err != nil {
			return err
		}
		defer a.Close()
		_, err = transfer.Copy(t.Context(), a, layout.New(filepath.Join(t.TempDir(), "d")), transfer.Options{Reference: "index"})
		return err
	}
	if err := open(whole[:len(whole)/2]); !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("half a tar: %v", err)
	}
	if err := open([]byte("no tar at all, but text that is long enough to be looked at as one")); !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("text: %v", err)
	}
	if err := open(nil); !errors.Is(err, tarball.ErrEmpty) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "none"), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
