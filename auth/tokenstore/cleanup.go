package tokenstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Prune removes expired tokens with their locks, and what killed writers have left
// behind. It returns the number of tokens removed. Files that are not the store's
// stay.
func (s *Store) Prune() (int, error) {
	if err := s.check(); err != nil {
		return 0, err
	}
	names, err := s.names()
	if err != nil {
		return 0, err
	}
	now, removed := s.now(), 0
	live := map[Key]bool{}
	for _, n := range names {
		path := filepath.Join(s.directory(), n.String())
		info, err := os.Lstat(path)
		switch {
		case err != nil, n.ext == lockExt: // removed by another process; see below
		case n.isTemp():
			s.removeTemp(n, info.ModTime(), now)
		case n.ext == badExt:
			_ = os.Remove(path) // stays unless it is empty: somebody else made it
		case info.ModTime().After(now):
			live[n.key] = true
		default:
			if removeFile(path) == nil && n.ext == entryExt {
				removed++
			}
		}
	}
	for _, n := range names {
		if n.ext == lockExt && !live[n.key] {
			s.removeLock(n.key)
		}
	}
	s.removeHosts(func(expires time.Time) bool { return !expires.After(now) })
	return removed, nil
}

// removeTemp removes an unfinished file if its writer is dead, which it is if the
// lock of the key is free. A shortcut's name has no lock: its file has to be an hour
// old.
func (s *Store) removeTemp(n fileName, written, now time.Time) {
	if n.ext == shortcutExt+tempExt {
		if written.Before(now.Add(-time.Hour)) {
			_ = os.Remove(s.path(n.key, n.ext))
		}
		return
	}
	lock, err := s.TryLock(n.key)
	if err != nil {
		return
	}
	defer lock.Unlock()
	_ = os.Remove(s.path(n.key, n.ext))
}

// removeLock removes a lock that nobody holds. A process that waits for it notices
// and makes another.
func (s *Store) removeLock(key Key) {
	lock, err := s.TryLock(key)
	if err != nil {
		return
	}
	// A token that was written meanwhile keeps its lock.
	if _, err := os.Lstat(s.path(key, entryExt)); errors.Is(err, os.ErrNotExist) {
		lock.remove()
	} else {
		lock.Unlock()
	}
}

// RemoveSource removes the tokens and failures of all sessions of a credential source. It
// returns the number of tokens removed.
func (s *Store) RemoveSource(source string) (int, error) {
	return s.removeAll(func(key Key) bool { return key.Source == source })
}

// Clear removes every token, failure, shortcut and host. It returns the number of
// tokens removed. Locks stay, as somebody may hold them, and so do files that are
// not the store's.
func (s *Store) Clear() (int, error) {
	n, err := s.removeAll(func(Key) bool { return true })
	if err == nil {
		s.removeHosts(func(time.Time) bool { return true })
	}
	return n, err
}

// removeAll removes the files of some keys except their locks, and counts the
// tokens.
func (s *Store) removeAll(match func(Key) bool) (int, error) {
	if err := s.check(); err != nil {
		return 0, err
	}
	names, err := s.names()
	removed := 0
	for _, n := range names {
		if n.ext == lockExt || !match(n.key) {
			continue
		}
		removeErr := removeFile(filepath.Join(s.directory(), n.String()))
		switch {
		case removeErr == nil && n.ext == entryExt:
			removed++
		case removeErr != nil && n.ext != badExt:
			err = errors.Join(err, removeErr)
		}
	}
	return removed, err
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("token cache: %w", err)
	}
	return nil
}
