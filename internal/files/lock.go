package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// ErrLocked is wrapped by the error of [Try] if another holds the lock.
var ErrLocked = errors.New("another process holds the lock")

// Lock is a lock that is held, by one part of one process. The system frees it when
// the process ends, however that happens.
//
// The lock is advisory on Unix and mandatory on Windows, so it needs a file of its
// own that nobody reads. Where the file system has no locks (some network file
// systems), it is held without effect: what it protects must stay valid, if not
// efficient, when two processes do it at once.
type Lock struct {
	file *flock.Flock
	info fs.FileInfo
}

// Acquire creates and locks the file at path, with mode 0600. It waits while
// another process, or another part of this one, holds the lock.
//
// The error wraps the cause of ctx, [ErrUntrusted], or the error of the system; see
// [IsReadOnly].
func Acquire(ctx context.Context, path string) (*Lock, error) { return private.acquire(ctx, path) }

// AcquireShared is [Acquire] for a directory in which several users write: the lock
// file gets the mode 0666 before the umask, and that of another user is locked too.
func AcquireShared(ctx context.Context, path string) (*Lock, error) { return shared.acquire(ctx, path) }

// Try is [Acquire] without waiting: the error wraps [ErrLocked] if another holds the
// lock.
func Try(path string) (*Lock, error) { return private.try(path) }

// kind is what is asked of a lock file.
type kind struct {
	perm    fs.FileMode
	anyUser bool
	tryLock func(*flock.Flock) (bool, error)
}

var (
	private = kind{perm: 0o600, tryLock: (*flock.Flock).TryLock}
	shared  = kind{perm: 0o666, anyUser: true, tryLock: (*flock.Flock).TryLock}
)

func (k kind) acquire(ctx context.Context, path string) (*Lock, error) {
	const longest = 20 * time.Millisecond
	wait := time.Millisecond
	for {
		if err := context.Cause(ctx); err != nil {
			return nil, fmt.Errorf("waiting for the lock %s: %w", path, err)
		}
		lock, err := k.try(path)
		if !errors.Is(err, ErrLocked) {
			return lock, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait/2 + rand.N(wait)):
		}
		wait = min(wait*2, longest)
	}
}

func (k kind) try(path string) (*Lock, error) {
	const attempts = 10
	var failed error
	for range attempts {
		// A network file system may ask for permission to write.
		file := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow), flock.SetPermissions(k.perm))
		locked, err := k.tryLock(file)
		if k.anyUser && errors.Is(err, fs.ErrPermission) {
			file = flock.New(path, flock.SetFlag(os.O_RDONLY|noFollow), flock.SetPermissions(k.perm))
			locked, err = k.tryLock(file)
		}
		if noLocks(err) {
			locked, err = true, nil
		}
		if err != nil {
			_ = file.Close()
			failed = fmt.Errorf("lock: %w", explain(path, err, k.anyUser))
			if MayPass(err) {
				time.Sleep(5 * time.Millisecond)
				continue
			}
			return nil, failed
		}
		if !locked {
			return nil, fmt.Errorf("lock %s: %w", path, ErrLocked)
		}
		lock, err := k.current(file)
		if err != nil || lock != nil {
			return lock, err
		}
		// Whoever had the lock before has removed its file after it was opened here.
	}
	if failed == nil {
		failed = fmt.Errorf("lock %s: %w", path, ErrLocked)
	}
	return nil, failed
}

// current returns the lock if its file still has its name, which it must have for
// others to see the lock.
func (k kind) current(file *flock.Flock) (*Lock, error) {
	locked, err := file.Stat()
	current, currentErr := os.Lstat(file.Path())
	if err == nil && currentErr == nil && os.SameFile(locked, current) {
		if err = check(file.Path(), current, k.anyUser); err == nil {
			return &Lock{file, current}, nil
		}
		return nil, errors.Join(err, file.Close())
	}
	for _, err := range []error{err, currentErr} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(fmt.Errorf("lock: %w", err), file.Close())
		}
	}
	return nil, file.Close()
}

// IsReadOnly reports whether err is that of a place where this user cannot write.
func IsReadOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// Release frees the lock and leaves its file.
func (l *Lock) Release() { _ = l.file.Close() }

// Remove removes the file and frees the lock. A file that cannot be removed, as on
// Windows while another waits for the lock, stays, which does no harm.
func (l *Lock) Remove() { l.remove(l.unlink) }

// unlink removes the file unless another is in its place.
func (l *Lock) unlink() {
	if now, err := os.Lstat(l.file.Path()); err == nil && os.SameFile(now, l.info) {
		_ = os.Remove(l.file.Path())
	}
}
