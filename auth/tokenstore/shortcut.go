package tokenstore

import (
	"errors"

	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

// PutShortcut makes the shortcut of a request, which tokenfile.Dir follows, to
// the token of sc.Key. Nothing is written if there is no such token, or if the
// tokens are encrypted: then the keychain would be asked anyway. It is for ecrkit's credential
// helper: others cannot make a shortcut, and need none.
func (s *Store) PutShortcut(request string, sc tokenfile.Shortcut) error {
	if s.Sealer != nil || sc.Key.Session != "" {
		return nil
	}
	// It is written under the key's lock, like the token; whoever holds that is
	// about to change the token.
	lock, err := s.TryLock(sc.Key)
	if errors.Is(err, ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Unlock()
	entry, err := s.Get(sc.Key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := sc.Encode(entry.ExpiresAt)
	if err != nil {
		return err
	}
	return s.write(Key{Source: request}, shortcutExt, data, entry.ExpiresAt)
}
