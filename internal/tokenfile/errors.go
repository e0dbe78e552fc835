package tokenfile

import (
	"errors"
	"strconv"
)

var (
	// ErrNotFound reports that there is no token for the key, or only a file that
	// cannot be read as one.
	ErrNotFound = errors.New("no token in the cache")
	// ErrUnsafe reports that somebody else could change or read the files.
	ErrUnsafe = errors.New("the token cache is not safe")
	// ErrKeychain reports that the key with which tokens are encrypted is missing.
	ErrKeychain = errors.New("the keychain of the token cache")
)

// detailed is an error with details, as fmt.Errorf makes it: package fmt is not
// initialized yet (see package startup).
type detailed struct {
	err  error
	text string
}

func (e detailed) Error() string { return e.text }

func (e detailed) Unwrap() error { return e.err }

// unsafeError returns an ErrUnsafe with its reason.
func unsafeError(reason string) error {
	return detailed{ErrUnsafe, ErrUnsafe.Error() + ": " + reason}
}

// systemError returns an error of the operating system as one of the cache.
func systemError(err error) error { return detailed{err, "token cache: " + err.Error()} }

func errNotRegular(path string, limit int64) error {
	return errors.New(path + " is not a regular file, or larger than " + strconv.FormatInt(limit, 10) + " bytes")
}
