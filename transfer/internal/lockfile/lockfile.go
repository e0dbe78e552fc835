// Package lockfile locks a file that is removed when the work under the lock is
// done.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// Lock is a lock that is held.
type Lock struct{ file *flock.Flock }

// Acquire creates and locks the file at path. It waits while another process, or
// another part of this one, has it.
func Acquire(ctx context.Context, path string) (*Lock, error) {
	for {
		file := flock.New(path)
		if _, err := file.TryLockContext(ctx, 20*time.Millisecond); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return nil, errors.Join(fmt.Errorf("waiting for the lock %s: %w", path, err), file.Close())
		}
		current, err := isCurrent(file)
		if err == nil && current {
			return &Lock{file}, nil
		}
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
	}
}

// Try is [Acquire] that gives nil if another has the lock.
func Try(path string) (*Lock, error) {
	file := flock.New(path)
	locked, err := file.TryLock()
	if errors.Is(err, errors.ErrUnsupported) {
		locked, err = true, nil
	}
	if err == nil && locked {
		locked, err = isCurrent(file)
	}
	if err != nil || !locked {
		return nil, errors.Join(err, file.Close())
	}
	return &Lock{file}, nil
}

// isCurrent tells whether the locked file still has its name: who had the lock
// before may have removed it.
func isCurrent(file *flock.Flock) (bool, error) {
	locked, err := file.Stat()
	if err != nil {
		return false, err
	}
	current, err := os.Stat(file.Path())
	return err == nil && os.SameFile(locked, current), nil
}

// Release gives the lock back and leaves its file.
func (l *Lock) Release() error { return l.file.Close() }

// Remove removes the file and gives the lock back.
func (l *Lock) Remove() error {
	err := os.Remove(l.file.Path())
	return errors.Join(err, l.file.Close())
}
