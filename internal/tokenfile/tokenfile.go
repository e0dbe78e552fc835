// Package tokenfile reads and encodes the files of the token cache, which package
// tokenstore documents and writes. It is a package of its own because package
// startup uses it, which explains what the two may import.
package tokenfile

import (
	"errors"
	"time"
)

// Sealer encrypts tokens. Open needs the same additional data (aad) as Seal; it is
// not part of the result.
type Sealer interface {
	Seal(plaintext, aad []byte) ([]byte, error)
	Open(sealed, aad []byte) ([]byte, error)
}

// Dir is the directory of a token cache, to be read.
type Dir struct {
	Path   string
	Now    func() time.Time // nil is time.Now
	Sealer Sealer           // nil: the tokens are in plain text
}

func (d Dir) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

// Check returns an error that wraps [ErrUnsafe] if others could write to the cache.
// A missing directory is not an error: it is a cache without tokens.
func (d Dir) Check() error {
	if err := CheckDirectory(d.Path, true); err != nil {
		return err
	}
	return CheckDirectory(d.Files(), false)
}

// Get reads the token of a key. The error is [ErrNotFound], or wraps [ErrUnsafe],
// [ErrKeychain] or the system's error if the cache cannot be used.
func (d Dir) Get(key Key) (Entry, error) {
	if err := d.Check(); err != nil {
		return Entry{}, err
	}
	return d.get(key)
}

func (d Dir) get(key Key) (Entry, error) {
	data, err := d.Read(key, EntryExt)
	if err != nil {
		return Entry{}, err
	}
	entry, err := Decode(key, data, d.Sealer)
	if errors.Is(err, ErrKeychain) {
		return Entry{}, err
	}
	if err != nil {
		return Entry{}, ErrNotFound
	}
	return entry, nil
}

// Read reads a key's file if it belongs to the user and only the user can write to
// it. Anything wrong with a file that would be replaced is [ErrNotFound].
func (d Dir) Read(key Key, ext string) ([]byte, error) {
	data, err := readOwn(d.File(key, ext))
	if err != nil && !errors.Is(err, ErrUnsafe) {
		return nil, ErrNotFound
	}
	return data, err
}
