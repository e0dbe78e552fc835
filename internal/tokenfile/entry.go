package tokenfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"time"
	"unicode/utf8"
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

// LogValue hides the secret from slog.
func (e Entry) LogValue() slog.Value { return slog.StringValue(e.String()) }

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

// version is that of the form of the files. Another is not read.
const version = 1

// entryFile is an Entry as JSON.
type entryFile struct {
	Version   int       `json:"version"`
	Sealed    []byte    `json:"sealed,omitempty"` // another entryFile, encrypted
	Secret    string    `json:"secret,omitempty"`
	IssuedAt  time.Time `json:"issued_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Service   string    `json:"service,omitempty"`
	Region    string    `json:"region,omitempty"`
	Endpoint  string    `json:"endpoint,omitempty"`
	Kind      string    `json:"kind,omitempty"`
}

var errMalformed = errors.New("not a token of this version")

// Decode reads the file of an entry; one that is encrypted is opened by sealer.
func Decode(key Key, data []byte, sealer Sealer) (Entry, error) {
	f, err := unmarshal(data)
	if err != nil {
		return Entry{}, err
	}
	if (f.Sealed != nil) != (sealer != nil) {
		return Entry{}, errMalformed // of a time before the setting was changed
	}
	if sealer != nil {
		plain, err := sealer.Open(f.Sealed, []byte(key.String()))
		if err != nil {
			return Entry{}, err
		}
		if f, err = unmarshal(plain); err != nil {
			return Entry{}, err
		}
	}
	if f.Secret == "" || f.Sealed != nil {
		return Entry{}, errMalformed
	}
	return Entry{Secret: f.Secret, IssuedAt: f.IssuedAt, ExpiresAt: f.ExpiresAt,
		Service: f.Service, Region: f.Region, Endpoint: f.Endpoint, Kind: f.Kind}, nil
}

func unmarshal(data []byte) (f entryFile, err error) {
	if len(data) > maxFile || !utf8.Valid(data) {
		return f, errMalformed
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	// The error of the decoder may quote the token.
	if decoder.Decode(&f) != nil || f.Version != version {
		return f, errMalformed
	}
	if _, err := decoder.Token(); err != io.EOF {
		return f, errMalformed
	}
	return f, nil
}

// Encode writes the file of an entry, encrypted if there is a sealer.
func Encode(key Key, e Entry, sealer Sealer) ([]byte, error) {
	data, err := json.Marshal(entryFile{Version: version, Secret: e.Secret, IssuedAt: e.IssuedAt.UTC(), ExpiresAt: e.ExpiresAt.UTC(),
		Service: e.Service, Region: e.Region, Endpoint: e.Endpoint, Kind: e.Kind})
	if err != nil || sealer == nil {
		return data, err
	}
	sealed, err := sealer.Seal(data, []byte(key.String()))
	if err != nil {
		return nil, err
	}
	return json.Marshal(entryFile{Version: version, Sealed: sealed})
}
