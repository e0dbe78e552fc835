package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asOther runs f as another user than root, as far as files go.
func asOther(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0)
		}
		f()
	}()
	<-done
}

// Whoever may only read the file of a shared lock can lock it, and whoever may not
// write a directory is told so.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o711)) // for another user
	path := filepath.Join(dir, "lock")
	must(t, os.WriteFile(path, nil, 0o444))
	must(t, os.Chmod(dir, 0o555))
	defer os.Chmod(dir, 0o755)
	asOther(func() {
		lock, err := AcquireShared(t.Context(), path)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := shared.try(path); !errors.Is(err, ErrLocked) {
			t.Errorf("locked twice: %v", err)
		}
		lock.Remove()
		if _, err := os.Stat(path); err != nil {
			t.Errorf("removed although that is not permitted: %v", err)
		}
		if lock, err := shared.try(path); err != nil {
			t.Errorf("Remove has not freed it: %v", err)
		} else {
			lock.Release()
		}
		for name, err := range map[string]error{
			"lock": func() error { _, err := Try(filepath.Join(dir, "new")); return err }(),
			"file": WriteFile(filepath.Join(dir, "file"), nil, 0o600),
			"dir":  PrivateDir(filepath.Join(dir, "dir")),
		} {
			if !errors.Is(err, fs.ErrPermission) || !IsReadOnly(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
