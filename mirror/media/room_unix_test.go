//go:build unix

package media

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ecrkit/ecrkit/mirror/internal/journal"
)

// TestRoom refuses a disk that has no room before anything is written, and accepts one that has it for what is
// missing.
func TestRoom(t *testing.T) {
	t.Parallel()
	p := &plan{members: []*member{{size: 10 << 20, digest: "sha256:a"}, {at: 10 << 20, size: 1 << 20, digest: "sha256:b"}}}
	written, err := journal.Open(filepath.Join(t.TempDir(), "journal"), "a plan")
	check(t, err)
	defer written.Close()
	w := &writer{plan: p, journal: written}
	disk := func(n, total int64, err error) func(string) (int64, int64, error) {
		return func(string) (int64, int64, error) { return n, total, err }
	}
	if err := w.checkRoom(disk(10<<20, 1<<40, nil)); !errors.Is(err, ErrDiskFull) {
		t.Errorf("too small: %v", err)
	}
	for name, free := range map[string]func(string) (int64, int64, error){
		"enough": disk(11<<20, 1<<40, nil), "unknown": disk(0, 0, nil), "an error": disk(0, 0, errors.ErrUnsupported),
	} {
		if err := w.checkRoom(free); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	check(t, written.Finish("sha256:a"))
	if err := w.checkRoom(disk(2<<20, 1<<40, nil)); err != nil {
		t.Errorf("the rest: %v", err)
	}
}

// TestRoomErrors explains errors of the file system.
func TestRoomErrors(t *testing.T) {
	t.Parallel()
	if err := room("usb", &os.PathError{Op: "write", Path: "images.tar", Err: syscall.ENOSPC}); !errors.Is(err, ErrDiskFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	if err := room("usb", &os.PathError{Op: "truncate", Path: "images.tar", Err: syscall.EFBIG}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if err := room("usb", os.ErrPermission); !errors.Is(err, os.ErrPermission) || errors.Is(err, ErrDiskFull) {
		t.Error(err)
	}
}

// TestOpenWriterFails leaves nothing where a set cannot be begun.
func TestOpenWriterFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	check(t, os.Mkdir(filepath.Join(dir, "images.tar.partial"), 0o700))
	p := &plan{id: "sha256:a", size: 1024, members: []*member{{size: 1}}}
	if _, err := openWriter(t.Context(), inDirectory(dir, p, 0), p, 0, none); err == nil {
		t.Error("a directory was written as a part")
	}
	if _, err := os.Lstat(filepath.Join(dir, lockFile)); err == nil {
		t.Error("the lock is left")
	}
}
