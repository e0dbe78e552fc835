package tokenstore

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ecrkit/ecrkit/internal/tokenfile"
	"github.com/ecrkit/ecrkit/internal/tokenwrite"
)

// Store is a token cache in a directory, which is made when it is first written.
// It is safe for concurrent use by any number of processes.
type Store struct {
	Dir string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Sealer encrypts the tokens; nil leaves them in plain text.
	Sealer Sealer
	// Boot identifies the start of the machine, for failures that hold
	// until then; nil asks the system.
	Boot func() string
}

func (s *Store) dir() tokenfile.Dir { return tokenfile.Dir{Path: s.Dir, Now: s.Now, Sealer: s.Sealer} }

func (s *Store) directory() string { return s.dir().Files() }

func (s *Store) path(key Key, ext string) string { return s.dir().File(key, ext) }

func (s *Store) check() error { return s.dir().Check() }

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// prepare makes the directories and checks them.
func (s *Store) prepare() error {
	for _, path := range []string{s.Dir, s.directory()} {
		if err := tokenfile.CheckDirectory(path, path == s.Dir); err != nil {
			return err
		}
		if err := os.MkdirAll(path, 0o700); err != nil {
			return fmt.Errorf("token cache: %w", err)
		}
	}
	if err := s.check(); err != nil {
		return err
	}
	return tokenfile.MakePrivate(s.directory())
}

// Get reads the token of a key. The error is [ErrNotFound], or wraps [ErrUnsafe],
// [ErrKeychain] or the system's error if the store cannot be used.
func (s *Store) Get(key Key) (Entry, error) { return s.dir().Get(key) }

// Put writes the token of a key, whose lock the caller holds.
func (s *Store) Put(key Key, e Entry) error {
	data, err := tokenfile.Encode(key, e, s.Sealer)
	if err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	if err := tokenwrite.Replace(s.dir(), key, entryExt, data, e.ExpiresAt); err != nil {
		return err
	}
	// It holds no longer; its time decides whether it may stay.
	_ = os.Remove(s.path(key, failureExt))
	return nil
}

// Remove removes the token of a key. It is not an error if there is none.
func (s *Store) Remove(key Key) error {
	if err := s.check(); err != nil {
		return err
	}
	return removeFile(s.path(key, entryExt))
}

// RemoveIf removes the token of a key if it is secret, and reports whether it was.
func (s *Store) RemoveIf(key Key, secret string) (bool, error) {
	e, err := s.Get(key)
	if errors.Is(err, ErrNotFound) || err == nil && e.Secret != secret {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	lock, err := s.TryLock(key)
	if errors.Is(err, ErrLocked) {
		return false, nil // somebody is replacing it
	}
	if err != nil {
		return false, err
	}
	defer lock.Unlock()
	if e, err = s.Get(key); err != nil || e.Secret != secret {
		return false, nil
	}
	return true, s.Remove(key)
}
