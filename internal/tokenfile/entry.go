package tokenfile

import (
	"encoding/base64"
	"errors"
	"time"
)

// Entry is a token and where it comes from. The times are by this machine's clock.
type Entry struct {
	Secret    string
	IssuedAt  time.Time
	RenewAt   time.Time // from then on it should be replaced, though it is valid
	ExpiresAt time.Time
	Service   string // "ecr" or "ecr-public"
	Region    string
	Endpoint  string // URL of the API that issued it
	Kind      string // of the credential source: "assume-role"
}

// String hides the secret.
func (e Entry) String() string { return "token of " + e.Service + " in " + e.Region + " (hidden)" }

// GoString hides the secret from %#v.
func (e Entry) GoString() string { return e.String() }

// MarshalText hides the secret from encoding/json and log/slog.
func (e Entry) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// State is what may be done with an entry.
type State int

// The states of an entry.
const (
	Stale State = iota // must not be used
	Renew              // may be used, and should be renewed
	Fresh
)

// Limits of an entry.
const (
	minValidity = time.Minute     // a token that expires sooner is not used
	maxLifetime = 13 * time.Hour  // Amazon ECR's tokens live for 12 hours
	maxSetBack  = 5 * time.Minute // how far the clock may have gone back
	maxFile     = 64 << 10        // bytes
)

// State returns what may be done with the entry now. An entry that was issued in
// the future, or that lives longer than Amazon ECR's, comes from a wrong clock.
func (e Entry) State(now time.Time) State {
	lifetime := e.ExpiresAt.Sub(e.IssuedAt)
	switch {
	case e.Secret == "", lifetime <= 0, lifetime > maxLifetime,
		now.Before(e.IssuedAt.Add(-maxSetBack)), e.ExpiresAt.Sub(now) < minValidity:
		return Stale
	case !now.Before(e.RenewAt):
		return Renew
	}
	return Fresh
}

var errMalformed = errors.New("not a token of this version")

// Decode decodes the file of an entry; sealer decrypts it unless it is nil.
func Decode(key Key, data []byte, sealer Sealer) (Entry, error) {
	if sealer != nil {
		fields := decode(data, sealedHead)
		sealed, err := base64.StdEncoding.DecodeString(fields.next("token"))
		if !fields.end() || err != nil {
			return Entry{}, errMalformed // or of a time before the setting was changed
		}
		if data, err = sealer.Open(sealed, []byte(key.String())); err != nil {
			return Entry{}, err
		}
	}
	fields := decode(data, entryHead)
	e := Entry{
		Secret:    fields.next("secret"),
		IssuedAt:  fields.time("issued"),
		RenewAt:   fields.time("renew"),
		ExpiresAt: fields.time("expires"),
		Service:   fields.next("service"),
		Region:    fields.next("region"),
		Endpoint:  fields.next("endpoint"),
		Kind:      fields.next("kind"),
	}
	if !fields.end() || e.Secret == "" {
		return Entry{}, errMalformed
	}
	return e, nil
}

// Encode returns the file of an entry, encrypted by sealer unless it is nil.
func Encode(key Key, e Entry, sealer Sealer) ([]byte, error) {
	data, err := encode(entryHead,
		field{"secret", e.Secret},
		field{"issued", timestamp(e.IssuedAt)},
		field{"renew", timestamp(e.RenewAt)},
		field{"expires", timestamp(e.ExpiresAt)},
		field{"service", e.Service},
		field{"region", e.Region},
		field{"endpoint", e.Endpoint},
		field{"kind", e.Kind},
	)
	if err != nil || sealer == nil {
		return data, err
	}
	sealed, err := sealer.Seal(data, []byte(key.String()))
	if err != nil {
		return nil, err
	}
	return encode(sealedHead, field{"token", base64.StdEncoding.EncodeToString(sealed)})
}
