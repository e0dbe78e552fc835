package lockfile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestTry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Try(path)
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	if second, err := Try(path); err != nil || second != nil {
		t.Errorf("a second lock: %v, %v", second, err)
	}
	check(t, first.Release())
	if _, err := os.Stat(path); err != nil {
		t.Errorf("Release has removed the file: %v", err)
	}
	again, err := Try(path)
	if err != nil || again == nil {
		t.Fatal(again, err)
	}
	check(t, again.Remove())
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Remove has left the file: %v", err)
	}
}

func TestAcquireWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Acquire(t.Context(), path)
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if lock, err := Acquire(ctx, path); !errors.Is(err, context.DeadlineExceeded) || lock != nil {
		t.Errorf("got %v, %v", lock, err)
	}
	got := make(chan error)
	go func() {
		second, err := Acquire(t.Context(), path)
		if err == nil {
			err = second.Remove()
		}
		got <- err
	}()
	check(t, first.Remove()) // the one that waits has the removed file open, and must not take that
	check(t, <-got)
}

func TestNoDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "lock")
	if lock, err := Acquire(t.Context(), path); err == nil || lock != nil {
		t.Errorf("Acquire: %v, %v", lock, err)
	}
	if lock, err := Try(path); err == nil || lock != nil {
		t.Errorf("Try: %v, %v", lock, err)
	}
}

// TestExclusive has many take the lock, which some remove and some release.
func TestExclusive(t *testing.T) {
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
					t.Error("two have the lock")
				}
				taken.Add(1)
				holders.Add(-1)
				if i%2 == 0 {
					err = lock.Remove()
				} else {
					err = lock.Release()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if taken.Load() != 160 {
		t.Errorf("taken %d times", taken.Load())
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
