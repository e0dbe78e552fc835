package layout

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/test/trap"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/internal/partial"
)

// TestLayoutTraps copies into a directory in which others have put something under the
// names of the files that are written.
func TestLayoutTraps(t *testing.T) {
	t.Parallel()
	src, _, _ := fixture.Layout(t, 1)
	m, err := New(src).Resolve(t.Context(), "image")
	fixture.Check(t, err)
	name := partial.Name(m.Descriptor.Digest)
	for _, made := range []bool{false, true} {
		for _, planted := range []string{name, name + partial.SpansSuffix, name + partial.LockSuffix, BlobPath(m.Descriptor.Digest), lockName} {
			trap.Each(t, func(t *testing.T, kind string, lay func(string)) {
				dst := t.TempDir()
				if made {
					fixture.Check(t, New(dst).create(t.Context()))
				}
				path := filepath.Join(dst, filepath.FromSlash(planted))
				fixture.Check(t, os.MkdirAll(filepath.Dir(path), 0o700))
				lay(path)
				_, err := transfer.Copy(t.Context(), New(src), New(dst), transfer.Options{Reference: "image", Tags: []string{"x"}})
				switch {
				case planted == lockName:
					// Without the lock another writer's image may be lost.
					if !errors.Is(err, files.ErrUntrusted) || !strings.Contains(err.Error(), path) {
						t.Errorf("%s: %v", planted, err)
					}
					return
				case kind == trap.Directory && planted == BlobPath(m.Descriptor.Digest):
					if err == nil {
						t.Error("a directory was replaced")
					}
					return
				case err != nil:
					t.Errorf("%s: %v", planted, err)
					return
				}
				if info, err := os.Lstat(filepath.Join(dst, filepath.FromSlash(BlobPath(m.Descriptor.Digest)))); err != nil || !info.Mode().IsRegular() {
					t.Errorf("%s: %v, %v", planted, info, err)
				}
				fixture.ValidateImages(t, dst)
			})
		}
	}
}

// TestLayoutKeepsWhatItCannotSweep has others leave behind what cannot be removed: a
// tag is set nevertheless, and no error is reported.
func TestLayoutKeepsWhatItCannotSweep(t *testing.T) {
	t.Parallel()
	src, _, _ := fixture.Layout(t, 1)
	dst := filepath.Join(t.TempDir(), "dst")
	opts := transfer.Options{Reference: "image", Tags: []string{"x"}}
	mustCopy(t, New(src), New(dst), opts)
	m, err := New(src).Resolve(t.Context(), "image")
	fixture.Check(t, err)
	left := []string{partial.Prefix + "x", partial.Name(m.Descriptor.Digest), partial.Name(m.Descriptor.Digest) + partial.LockSuffix}
	for _, name := range left {
		fixture.Check(t, os.MkdirAll(filepath.Join(dst, name, "full"), 0o700))
	}
	opts.Tags = []string{"y"}
	mustCopy(t, New(src), New(dst), opts)
	if _, err := New(dst).Resolve(t.Context(), "y"); err != nil {
		t.Error(err)
	}
	fixture.Check(t, New(dst).PutTagged(t.Context(), m, "z"))
	for _, name := range left {
		if _, err := os.Stat(filepath.Join(dst, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestLayoutLeavesNothing has only the files of a layout in the directory afterwards.
func TestLayoutLeavesNothing(t *testing.T) {
	t.Parallel()
	src, _, _ := fixture.Layout(t, 1)
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, New(src), New(dst), transfer.Options{Reference: "index", Tags: []string{"x"}})
	entries, err := os.ReadDir(dst)
	fixture.Check(t, err)
	for _, e := range entries {
		switch e.Name() {
		case ocispec.ImageBlobsDir, ocispec.ImageIndexFile, ocispec.ImageLayoutFile:
		default:
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

// TestLayoutSweeps has a killed process leave partial files behind. What nobody may ever
// want again goes with the next tag, what is worth resuming stays, and so does a file
// that a process has.
func TestLayoutSweeps(t *testing.T) {
	t.Parallel()
	src, _, _ := fixture.Layout(t, 1)
	dst := filepath.Join(t.TempDir(), "dst")
	opts := transfer.Options{Reference: "image", Tags: []string{"x"}}
	mustCopy(t, New(src), New(dst), opts)
	leave := func(text string, size int64) (string, *files.Lock) {
		path := filepath.Join(dst, partial.Name(digest.FromString(text)))
		lock, err := files.Try(path + partial.LockSuffix)
		fixture.Check(t, err)
		fixture.Check(t, os.WriteFile(path, make([]byte, size), 0o600))
		return path, lock
	}
	small, lock := leave("a signature", minResumed-1)
	lock.Release()
	large, lock := leave("a layer", minResumed)
	lock.Release()
	held, lock := leave("another signature", 1)
	defer lock.Release()
	alone := filepath.Join(dst, partial.Name(digest.FromString("only a lock"))+partial.LockSuffix)
	fixture.Check(t, os.WriteFile(alone, nil, 0o600))
	opts.Tags = []string{"y"}
	mustCopy(t, New(src), New(dst), opts)
	for name, want := range map[string]bool{small: false, small + partial.LockSuffix: false, alone: false, large: true, held: true} {
		if _, err := os.Stat(name); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", filepath.Base(name), err == nil, want)
		}
	}
}

// TestDanglingVersion has a link that leads nowhere lie where the file goes that makes a directory a layout: what is
// copied there could not be read, so it is no success.
func TestDanglingVersion(t *testing.T) {
	t.Parallel()
	src, _, _ := fixture.Layout(t, 1)
	for _, name := range []string{ocispec.ImageLayoutFile, ocispec.ImageIndexFile} {
		dst := t.TempDir()
		elsewhere := filepath.Join(t.TempDir(), "elsewhere")
		if err := os.Symlink(elsewhere, filepath.Join(dst, name)); err != nil {
			t.Fatal(err)
		}
		_, err := transfer.Copy(t.Context(), New(src), New(dst), transfer.Options{Reference: "index", Tags: []string{"x"}})
		if _, readErr := New(dst).Resolve(t.Context(), "x"); err == nil && readErr != nil {
			t.Errorf("%s: a success, and then %v", name, readErr)
		}
		if _, err := os.Lstat(elsewhere); err == nil {
			t.Errorf("%s: the link was followed", name)
		}
	}
}
