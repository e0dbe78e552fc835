package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// temporaryPrefix begins every access key ID that STS hands out:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
const temporaryPrefix = "ASIA"

// Credentials are temporary keys.
type Credentials struct {
	AccessKeyID     string    `xml:"AccessKeyId"`
	SecretAccessKey string    `xml:"SecretAccessKey"`
	SessionToken    string    `xml:"SessionToken"`
	Expiration      time.Time `xml:"Expiration"` // whole seconds, UTC
}

// session is what a session token holds.
type session struct {
	AccessKeyID string    `json:"akid"`
	Principal   Principal `json:"principal"`
	Expires     int64     `json:"exp"` // Unix seconds
}

func (ids *Identities) issueSession(p Principal, life time.Duration) Credentials {
	akid := temporaryPrefix + rand.Text()[:16]
	expires := ids.clock().Add(life).UTC().Truncate(time.Second)
	sealed := seal(ids.sessions, session{akid, p, expires.Unix()}, 0, nil)
	return Credentials{
		AccessKeyID:     akid,
		SecretAccessKey: ids.sessionSecret(akid),
		SessionToken:    base64.StdEncoding.EncodeToString(sealed),
		Expiration:      expires,
	}
}

func (ids *Identities) resolveSession(accessKeyID, token string) (Principal, string, error) {
	var s session
	sealed, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil || open(ids.sessions, sealed, &s, nil) != nil || s.AccessKeyID != accessKeyID || !ids.known(s.Principal) {
		return Principal{}, "", ErrInvalidToken
	}
	if ids.clock().Unix() >= s.Expires {
		return Principal{}, "", ErrExpiredToken
	}
	return s.Principal, ids.sessionSecret(accessKeyID), nil
}

// sessionSecret derives the secret of a temporary key: 40 characters as AWS's.
func (ids *Identities) sessionSecret(accessKeyID string) string {
	h := hmac.New(sha256.New, ids.secrets)
	h.Write([]byte(accessKeyID))
	return base64.StdEncoding.EncodeToString(h.Sum(nil)[:30])
}
