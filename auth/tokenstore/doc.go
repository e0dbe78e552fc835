// Package tokenstore keeps authorization tokens of Amazon ECR on disk: a file
// and a lock for each key, written whole or not at all, readable by their owner
// alone.
//
//	DIR/v1/KEY.token     the token
//	DIR/v1/KEY.lock      held by the process that gets the token
//	DIR/v1/KEY.failure   why there is none, for a few seconds
//	DIR/v1/hosts/HOST    a token was given to this host; empty
//	DIR/v1/REQUEST.shortcut  which KEY is the answer to a request
//
// The time of modification of a token, a failure, a host and a shortcut is when it
// ends, so that cleaning up needs no reading.
package tokenstore

import (
	"errors"

	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

type (
	// Key names a token: struct{ Source, Session string }. Both are SHA-256 digests in lower-case hexadecimal;
	// Session is "" for a credential source that always has the same principal.
	Key = tokenfile.Key
	// Entry is a token and where it is from: Secret, the password; IssuedAt, RenewAt and ExpiresAt, times by this
	// machine's clock; Service, "ecr" or "ecr-public"; Region; Endpoint, the URL of the API that issued it; Kind, that
	// of the credential source, such as "assume-role". Texts of it hide the secret. Its method State(now time.Time)
	// returns what may be done with it.
	Entry = tokenfile.Entry
	// State is what may be done with an entry: [Stale], [Renew] or [Fresh].
	State = tokenfile.State
	// Sealer encrypts tokens: interface{ Seal, Open func(data, aad []byte) ([]byte, error) }. Open takes what Seal
	// returned, with the same additional data aad, which is not part of it.
	Sealer = tokenfile.Sealer
)

// The states of an entry.
const (
	Stale = tokenfile.Stale // it must not be used
	Renew = tokenfile.Renew // it may be used, and should be renewed
	Fresh = tokenfile.Fresh // it may be used
)

var (
	// ErrNotFound reports that there is no token for the key, or none that can be read.
	ErrNotFound = tokenfile.ErrNotFound
	// ErrUnsafe reports that somebody else could read or change the files.
	ErrUnsafe = tokenfile.ErrUnsafe
	// ErrLocked reports that another process holds the lock.
	ErrLocked = errors.New("the token is being got by another process")
	// ErrKeychain reports that the key with which tokens are encrypted is missing.
	ErrKeychain = tokenfile.ErrKeychain
)
