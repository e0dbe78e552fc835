package tokenstore

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

// Item is a token in a listing. Its Entry is without the secret.
type Item struct {
	Key   Key
	Entry Entry
	State State
	Err   error // why the file can't be read as a token
}

// List lists every token, sorted by key.
func (s *Store) List() ([]Item, error) {
	return s.list("")
}

// Sessions lists the tokens of one recipe.
func (s *Store) Sessions(recipe string) ([]Item, error) {
	return s.list(recipe)
}

func (s *Store) list(prefix string) ([]Item, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	names, err := s.names()
	slices.Sort(names)
	items := []Item{}
	for _, name := range names {
		key, ok := keyOf(name, entryExt)
		if !ok || !strings.HasPrefix(name, prefix) {
			continue
		}
		item := Item{Key: key}
		item.Entry, item.Err = s.Get(key)
		item.State = item.Entry.State(s.now())
		item.Entry.Secret = ""
		items = append(items, item)
	}
	return items, err
}

// keyOf reads the key out of a file's name.
func keyOf(name, ext string) (Key, bool) {
	name, ok := strings.CutSuffix(name, ext)
	if !ok {
		return Key{}, false
	}
	return tokenfile.ParseKey(name)
}

// Prune removes the tokens that have expired, with their locks, and what killed
// writers have left, and gives the number of tokens.
func (s *Store) Prune() (int, error) {
	if err := s.check(); err != nil {
		return 0, err
	}
	names, err := s.names()
	if err != nil {
		return 0, err
	}
	now, removed := s.now(), 0
	live := map[string]bool{}
	for _, name := range names {
		path := filepath.Join(s.directory(), name)
		info, err := os.Lstat(path)
		if err != nil {
			continue // removed by somebody else
		}
		switch filepath.Ext(name) {
		case lockExt:
			continue
		case tempExt:
			if keyed := s.removeTemp(name); !keyed && info.ModTime().Before(now.Add(-time.Hour)) {
				_ = os.Remove(path) // of a shortcut, which has no lock of its own
			}
			continue
		case badExt:
			// A directory that somebody made is not ours to empty.
			_ = os.Remove(path)
			continue
		}
		if info.ModTime().After(now) {
			live[strings.TrimSuffix(name, filepath.Ext(name))] = true
			continue
		}
		if removeFile(path) == nil && strings.HasSuffix(name, entryExt) {
			removed++
		}
	}
	for _, name := range names {
		if key, ok := keyOf(name, lockExt); ok && !live[key.String()] {
			s.removeLock(key)
		}
	}
	s.pruneHosts(now)
	return removed, nil
}

// removeTemp removes what the writer of a key has left behind. It is dead if its
// lock is free.
func (s *Store) removeTemp(name string) (keyed bool) {
	for _, ext := range []string{entryExt, failureExt} {
		key, ok := keyOf(name, ext+tempExt)
		if !ok {
			continue
		}
		lock, err := s.TryLock(key)
		if err != nil {
			return true
		}
		_ = os.Remove(s.path(key, ext+tempExt))
		lock.Unlock()
		return true
	}
	return false
}

// removeLock removes a lock that nobody holds. Somebody who waits for it sees
// that it is gone and makes it anew.
func (s *Store) removeLock(key Key) {
	lock, err := s.TryLock(key)
	if err != nil {
		return
	}
	// A token that has come in the meantime keeps its lock.
	if _, err := os.Lstat(s.path(key, entryExt)); errors.Is(err, os.ErrNotExist) {
		lock.remove()
	} else {
		lock.Unlock()
	}
}
