package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// Lock is the lock of a key, held. The system frees it if the process dies.
type Lock struct{ file *flock.Flock }

// Unlock frees the lock.
func (l *Lock) Unlock() error { return l.file.Unlock() }

// TryLock takes the lock of a key, or fails with ErrLocked.
func (s *Store) TryLock(key Key) (*Lock, error) {
	if err := s.prepare(); err != nil {
		return nil, err
	}
	return lockFile(s.path(key, lockExt))
}

func lockFile(path string) (*Lock, error) {
	const attempts = 10
	for range attempts {
		file := flock.New(path, flock.SetPermissions(0o600))
		locked, err := file.TryLock()
		if err != nil {
			return nil, fmt.Errorf("token cache: lock: %w", err)
		}
		if !locked {
			_ = file.Close()
			return nil, ErrLocked
		}
		// Whoever cleans up may have removed the file after it was opened: then
		// somebody else can lock the one that took its place.
		mine, err := file.Stat()
		if err == nil {
			var now fs.FileInfo
			if now, err = os.Lstat(path); err == nil && os.SameFile(mine, now) {
				return &Lock{file}, nil
			}
		}
		_ = file.Unlock()
	}
	return nil, ErrLocked
}

// Lock waits for the lock of a key.
func (s *Store) Lock(ctx context.Context, key Key) (*Lock, error) {
	_, lock, err := s.Await(ctx, key, func(Entry) bool { return false })
	return lock, err
}

// Await waits until there is a token that will do, or until the lock of the key
// is free to get one: it gives the token, or the lock, or the error of the store
// or of ctx.
func (s *Store) Await(ctx context.Context, key Key, will func(Entry) bool) (Entry, *Lock, error) {
	const longest = 20 * time.Millisecond
	wait := time.Millisecond
	for {
		lock, lockErr := s.TryLock(key)
		if lockErr != nil && !errors.Is(lockErr, ErrLocked) {
			return Entry{}, nil, lockErr
		}
		entry, err := s.Get(key)
		switch {
		case err == nil && will(entry):
			if lock != nil {
				_ = lock.Unlock()
			}
			return entry, nil, nil
		case err != nil && !errors.Is(err, ErrNotFound):
			if lock != nil {
				_ = lock.Unlock()
			}
			return Entry{}, nil, err
		case lock != nil:
			return Entry{}, lock, nil
		}
		select {
		case <-ctx.Done():
			return Entry{}, nil, fmt.Errorf("token cache: waiting for another process: %w", context.Cause(ctx))
		case <-time.After(wait/2 + rand.N(wait)):
		}
		wait = min(wait*2, longest)
	}
}
