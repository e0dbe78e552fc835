package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
)

// Lock is the lock of a key, held. The system frees it if the process dies.
type Lock struct{ file *files.Lock }

// Unlock frees the lock.
func (l *Lock) Unlock() { l.file.Release() }

// remove frees the lock and removes its file.
func (l *Lock) remove() { l.file.Remove() }

// TryLock takes the lock of a key, or fails with ErrLocked.
func (s *Store) TryLock(key Key) (*Lock, error) {
	if err := s.prepare(); err != nil {
		return nil, err
	}
	return lockFile(s.path(key, lockExt))
}

func lockFile(path string) (*Lock, error) {
	file, err := files.Try(path)
	switch {
	case errors.Is(err, files.ErrLocked):
		return nil, ErrLocked
	case errors.Is(err, files.ErrUntrusted):
		return nil, fmt.Errorf("%w: %w; remove it", ErrUnsafe, err)
	case err != nil:
		return nil, fmt.Errorf("token cache: %w", err)
	}
	return &Lock{file}, nil
}

// Lock waits for the lock of a key.
func (s *Store) Lock(ctx context.Context, key Key) (*Lock, error) {
	_, lock, err := s.Await(ctx, key, func(Entry) bool { return false })
	return lock, err
}

// Await waits until there is a token that will do, or until the lock of the key
// is free to get one: it returns the token, or the lock, or the error of the store
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
				lock.Unlock()
			}
			return entry, nil, nil
		case err != nil && !errors.Is(err, ErrNotFound):
			if lock != nil {
				lock.Unlock()
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
