// Package tokenfile reads the files of the token cache, which package tokenstore
// describes and writes. It is apart from it because of what it imports: nothing
// that takes time as a program starts, and, for package warmstart, no package whose
// path comes after "math/big" unless that imports it too.
package tokenfile

import (
	"errors"
	"os"
	"time"
)

var (
	// ErrNotFound says that there is no token for the key, or none that can be read.
	ErrNotFound = errors.New("no token in the cache")
	// ErrUnsafe says that somebody else could read or write the files.
	ErrUnsafe = errors.New("the token cache is not safe")
	// ErrKeychain says that the key with which tokens are encrypted can't be had.
	ErrKeychain = errors.New("the keychain of the token cache")
)

// The extensions of the files of a key.
const (
	EntryExt    = ".token"
	ShortcutExt = ".shortcut"
)

// Sealer encrypts tokens. The additional data (aad) is not part of the result
// and has to be the same to open it.
type Sealer interface {
	Seal(plaintext, aad []byte) ([]byte, error)
	Open(sealed, aad []byte) ([]byte, error)
}

// Dir is a token cache to read.
type Dir struct {
	Path   string
	Now    func() time.Time // nil is time.Now
	Sealer Sealer           // nil: the tokens are in clear
}

// Files is the directory of the files.
func (d Dir) Files() string { return d.Path + separator + version }

const (
	separator = string(os.PathSeparator)
	version   = "v1"
)

// File is the path of a key's file.
func (d Dir) File(key Key, ext string) string {
	return d.Path + separator + version + separator + key.String() + ext
}

func (d Dir) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

// Check refuses a cache in which others could write. A directory that is not
// there is no error: it is a cache without tokens.
func (d Dir) Check() error {
	if err := CheckDirectory(d.Path, true); err != nil {
		return err
	}
	return CheckDirectory(d.Files(), false)
}

// Get reads the token of a key. The error is ErrNotFound if there is none, or
// only a file that can't be read as one; it wraps [ErrUnsafe] or [ErrKeychain], or
// is the system's, if the cache is of no use.
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

// Read reads a key's file if it is the user's own and nobody else's to write.
// Whatever is wrong with a file that would be replaced is ErrNotFound.
func (d Dir) Read(key Key, ext string) ([]byte, error) {
	data, err := readOwn(d.File(key, ext))
	if err != nil && !errors.Is(err, ErrUnsafe) {
		return nil, ErrNotFound
	}
	return data, err
}
