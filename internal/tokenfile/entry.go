package tokenfile

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// Entry is a token and where it is from.
type Entry struct {
	Secret    string
	IssuedAt  time.Time // by this machine's clock
	ExpiresAt time.Time // by this machine's clock
	Service   string    // "ecr" or "ecr-public"
	Region    string
	Endpoint  string // URL of the API that gave it
	Kind      string // of the recipe: "assume-role"
}

// String hides the secret.
func (e Entry) String() string { return "token of " + e.Service + " in " + e.Region + " (hidden)" }

// GoString hides the secret from %#v.
func (e Entry) GoString() string { return e.String() }

// MarshalText hides the secret from encoding/json and log/slog.
func (e Entry) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// State says what may be done with an entry.
type State int

// The states of an entry.
const (
	Stale State = iota // must not be used
	Renew              // may be used, and is past the time to renew it
	Fresh
)

// Limits of an entry.
const (
	MinValidity = time.Minute     // a token with less left is not given out
	maxLifetime = 13 * time.Hour  // Amazon ECR gives 12
	maxSetBack  = 5 * time.Minute // that the clock may have gone back
	maxFile     = 64 << 10        // bytes
)

// State judges the entry. An entry that was issued in the future, or lives for
// longer than Amazon ECR gives, is the work of a clock that was wrong.
func (e Entry) State(key Key, now time.Time) State {
	lifetime := e.ExpiresAt.Sub(e.IssuedAt)
	switch {
	case e.Secret == "", lifetime <= 0, lifetime > maxLifetime,
		now.Before(e.IssuedAt.Add(-maxSetBack)), e.ExpiresAt.Sub(now) < MinValidity:
		return Stale
	case !now.Before(e.RenewAt(key)):
		return Renew
	}
	return Fresh
}

// RenewAt is half of the token's life, or up to 5 % of that sooner or later,
// always the same for one token: many machines do not renew at once.
func (e Entry) RenewAt(key Key) time.Time {
	var issued [8]byte
	binary.BigEndian.PutUint64(issued[:], uint64(e.IssuedAt.Unix()))
	sum := sha256.Sum256(append([]byte(key.String()), issued[:]...))
	jitter := float64(binary.BigEndian.Uint32(sum[:4]))/(1<<32)*0.1 - 0.05
	lifetime := e.ExpiresAt.Sub(e.IssuedAt)
	return e.IssuedAt.Add(time.Duration(float64(lifetime) * 0.5 * (1 + jitter)))
}

var errMalformed = errors.New("not a token of this version")

// Decode reads the file of an entry; one that is encrypted is opened by sealer.
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

// Encode writes the file of an entry, encrypted if there is a sealer.
func Encode(key Key, e Entry, sealer Sealer) ([]byte, error) {
	data, err := encode(entryHead,
		field{"secret", e.Secret},
		field{"issued", timestamp(e.IssuedAt)},
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
