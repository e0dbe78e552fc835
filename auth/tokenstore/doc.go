// Package tokenstore keeps authorization tokens of Amazon ECR on disk: a file
// and a lock for each key, written whole or not at all, readable by their owner
// alone.
//
//	DIR/v1/KEY.json      the token
//	DIR/v1/KEY.lock      held by the process that gets the token
//	DIR/v1/KEY.failure   why there is none, for a few seconds
//	DIR/v1/hosts/HOST    a token was given to this host; empty
//
// The time of modification of a token, a failure and a host is when it ends, so
// that cleaning up needs no reading.
package tokenstore

import "errors"

var (
	// ErrNotFound says that there is no token for the key, or none that can be read.
	ErrNotFound = errors.New("no token in the cache")
	// ErrUnsafe says that somebody else could read or write the files.
	ErrUnsafe = errors.New("the token cache is not safe")
	// ErrLocked says that another process holds the lock.
	ErrLocked = errors.New("the token is being got by another process")
	// ErrKeychain says that the key with which tokens are encrypted can't be had.
	ErrKeychain = errors.New("the keychain of the token cache")
)

// Key names a token. Both are SHA-256 digests in lower-case hexadecimal; Session
// is "" for a recipe that always gives the same principal.
type Key struct{ Recipe, Session string }

// String is the name of the key's files without extension: "RECIPE" or
// "RECIPE.SESSION".
func (k Key) String() string {
	if k.Session == "" {
		return k.Recipe
	}
	return k.Recipe + "." + k.Session
}
