package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTry(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Try(path)
	must(t, err)
	if second, err := Try(path); !errors.Is(err, ErrLocked) || second != nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a second lock: %v, %v", second, err)
	}
	first.Release()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("Release has removed the file: %v", err)
	}
	again, err := Try(path)
	must(t, err)
	again.Remove()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Remove has left the file: %v", err)
	}
}

func TestAcquireWaits(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Acquire(t.Context(), path)
	must(t, err)
	cause := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, cause)
	defer cancel()
	if lock, err := Acquire(ctx, path); !errors.Is(err, cause) || lock != nil {
		t.Errorf("got %v, %v", lock, err)
	}
	got := make(chan error)
	go func() {
		second, err := Acquire(t.Context(), path)
		if err == nil {
			second.Remove()
		}
		got <- err
	}()
	first.Remove() // the one that waits has the removed file open, and must not take that
	must(t, <-got)
}

func TestLockWithoutDirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none", "lock")
	if lock, err := Acquire(t.Context(), path); !errors.Is(err, fs.ErrNotExist) || lock != nil {
		t.Errorf("Acquire: %v, %v", lock, err)
	}
	if lock, err := Try(path); !errors.Is(err, fs.ErrNotExist) || lock != nil {
		t.Errorf("Try: %v, %v", lock, err)
	}
}

// TestLockExclusive has many take the lock, which some remove and some release.
func TestLockExclusive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	var holders, taken atomic.Int32
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 20 {
				lock, err := Acquire(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				if holders.Add(1) != 1 {
					t.Error("two hold the lock")
				}
				taken.Add(1)
				holders.Add(-1)
				if i%2 == 0 {
					lock.Remove()
				} else {
					lock.Release()
				}
			}
		})
	}
	group.Wait()
	if taken.Load() != 160 {
		t.Errorf("taken %d times", taken.Load())
	}
}

// A lock is held without effect where the file system has none.
func TestLockUnsupported(t *testing.T) {
	t.Parallel()
	for _, system := range unsupported {
		path := filepath.Join(t.TempDir(), "lock")
		k := kind{perm: 0o600, tryLock: func(file *flock.Flock) (bool, error) {
			// The file is made, as by flock, which then closes it.
			f, err := os.OpenFile(path, os.O_CREATE, 0o600)
			must(t, err)
			must(t, f.Close())
			return false, &os.PathError{Op: "flock", Path: path, Err: system}
		}}
		for range 2 {
			lock, err := k.acquire(t.Context(), path)
			if err != nil {
				t.Fatalf("%v: %v", system, err)
			}
			defer lock.Remove()
		}
	}
	k := kind{tryLock: func(*flock.Flock) (bool, error) { return false, os.ErrDeadlineExceeded }}
	if lock, err := k.try(filepath.Join(t.TempDir(), "lock")); !errors.Is(err, os.ErrDeadlineExceeded) || lock != nil {
		t.Errorf("another error: %v, %v", lock, err)
	}
}

func TestIsReadOnly(t *testing.T) {
	t.Parallel()
	for _, err := range []error{syscall.EACCES, syscall.EPERM, syscall.EROFS} {
		if !IsReadOnly(&fs.PathError{Op: "open", Err: err}) {
			t.Error(err)
		}
	}
	for _, err := range []error{nil, syscall.ENOENT, ErrUntrusted, ErrLocked} {
		if IsReadOnly(err) {
			t.Error(err)
		}
	}
}
