package identity

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// TokenLife is how long an authorization token is valid:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
const TokenLife = 12 * time.Hour

var (
	// ErrTokenExpired: the authorization token is older than TokenLife.
	ErrTokenExpired error = &sentinel{"Your authorization token has expired. Reauthenticate and try again."}
	// ErrTokenInvalid: not an authorization token of this server, altered, or of a
	// principal that is no longer configured.
	ErrTokenInvalid error = &sentinel{"Your Authorization Token is invalid."}
	// ErrTokenMalformed: not an authorization token at all. It wraps ErrTokenInvalid and has its text.
	ErrTokenMalformed = fmt.Errorf("%w", ErrTokenInvalid)
	// ErrTokenRegion: the token was issued for another region.
	ErrTokenRegion error = &sentinel{"the authorization token is of another region"}
)

// tokenEnvelope has the members of ECR's own passwords.
type tokenEnvelope struct {
	Payload    []byte `json:"payload"`
	DataKey    []byte `json:"datakey"`
	Version    string `json:"version"`
	Type       string `json:"type"`
	Expiration int64  `json:"expiration"` // Unix seconds
}

// bound is what the payload's seal covers besides the payload.
func (e tokenEnvelope) bound() []byte {
	return fmt.Appendf(nil, "%x %q %q %d", e.DataKey, e.Version, e.Type, e.Expiration)
}

type tokenPayload struct {
	Principal Principal `json:"principal"`
	Region    string    `json:"region"`
}

const (
	tokenPayloadSize = 900 // with dataKeySize: passwords of ECR's length, about 2,000 characters
	dataKeySize      = 184
)

// IssueToken returns an authorization token (the base64 of "AWS:" and a
// password) for the principal's registry in the region, and when it expires.
func (ids *Identities) IssueToken(p Principal, region string, now time.Time) (token string, expires time.Time) {
	expires = now.Add(TokenLife).UTC().Truncate(time.Second)
	e := tokenEnvelope{DataKey: make([]byte, dataKeySize), Version: "2", Type: "DATA_KEY", Expiration: expires.Unix()}
	rand.Read(e.DataKey)
	e.Payload = seal(ids.tokens, tokenPayload{p, region}, tokenPayloadSize, e.bound())
	return base64.StdEncoding.EncodeToString([]byte("AWS:" + e.password())), expires
}

func (e tokenEnvelope) password() string {
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // bytes, strings and a number always marshal
	}
	return base64.StdEncoding.EncodeToString(data)
}

// CheckToken returns the principal that a password of IssueToken belongs to.
// Errors: ErrTokenInvalid, ErrTokenMalformed, ErrTokenExpired, ErrTokenRegion (wrapped with both
// regions).
func (ids *Identities) CheckToken(password, region string, now time.Time) (Principal, error) {
	var e tokenEnvelope
	data, err := base64.StdEncoding.DecodeString(password)
	if err != nil || json.Unmarshal(data, &e) != nil || e.password() != password {
		// The last condition refuses other spellings of the same envelope.
		return Principal{}, ErrTokenMalformed
	}
	var payload tokenPayload
	if open(ids.tokens, e.Payload, &payload, e.bound()) != nil || !ids.known(payload.Principal) {
		return Principal{}, ErrTokenInvalid
	}
	if now.Unix() >= e.Expiration {
		return Principal{}, ErrTokenExpired
	}
	if payload.Region != region {
		return Principal{}, fmt.Errorf("%w: it was issued in %s, this registry is in %s; call GetAuthorizationToken in %s",
			ErrTokenRegion, payload.Region, region, region)
	}
	return payload.Principal, nil
}
