// Package identity knows who may sign requests to the local ECR: configured
// accounts with users and roles, the temporary keys that STS hands out for
// the roles, and ECR's authorization tokens.
//
// Temporary keys and tokens are not stored anywhere: they carry their own
// content, sealed with the server's key, and so survive a restart of the
// server that keeps that key.
package identity

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/localecr/internal/policy"
)

var (
	// ErrUnknownKey: no user has this access key ID.
	ErrUnknownKey error = &sentinel{invalidToken}
	// ErrInvalidToken: the session token is not one of this server, not that of
	// this access key ID, missing, or sent with a long-term key.
	ErrInvalidToken error = &sentinel{invalidToken}
	// ErrExpiredToken: the temporary keys have expired.
	ErrExpiredToken error = &sentinel{"The security token included in the request is expired"}
)

// sentinel is an error whose text is AWS's own.
type sentinel struct{ text string }

func (s *sentinel) Error() string { return s.text }

const invalidToken = "The security token included in the request is invalid."

// The types of principals, named as in CloudTrail.
const (
	IAMUser     = "IAMUser"
	AssumedRole = "AssumedRole"
)

// Principal is an authenticated caller.
type Principal struct {
	ARN     string // arn:aws:iam::ACCOUNT:user/NAME or arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
	Account string // 12 digits
	UserID  string // AIDA…, or AROA…:SESSION for a role's session
	Type    string // IAMUser or AssumedRole
}

// Identities answers who signed a request. It is safe for concurrent use.
type Identities struct {
	accounts map[string]Account
	users    map[string]user // by access key ID
	clock    func() time.Time

	policies   map[string]accountPolicies // by account; nil: nobody has any
	everything *policy.Document

	sessions, tokens, secrets, instance []byte // keys derived from the server's key, one a purpose

	issuer *ecdsa.PrivateKey
}

type user struct {
	principal Principal
	secret    string
}

// New validates the accounts and derives keys from serverKey, which must hold
// at least 32 random bytes and be the same after a restart for temporary keys
// and authorization tokens to stay valid. clock decides what has expired.
func New(accounts []Account, serverKey []byte, clock func() time.Time) (*Identities, error) {
	if err := Validate(accounts); err != nil {
		return nil, err
	}
	if len(serverKey) < 32 {
		return nil, fmt.Errorf("the server key has %d bytes, it needs at least 32", len(serverKey))
	}
	ids := &Identities{
		accounts: map[string]Account{},
		users:    map[string]user{},
		clock:    clock,
		sessions: deriveKey(serverKey, "session token"),
		tokens:   deriveKey(serverKey, "authorization token"),
		secrets:  deriveKey(serverKey, "secret access key"),
		instance: deriveKey(serverKey, "instance metadata token"),
		issuer:   issuerKey(serverKey),
	}
	var err error
	if ids.policies, err = readPolicies(accounts); err != nil {
		return nil, err
	}
	if ids.everything, err = policy.ParseIdentity(everything); err != nil {
		return nil, err
	}
	for _, a := range accounts {
		ids.accounts[a.ID] = a
		for _, u := range a.Users {
			arn := "arn:aws:iam::" + a.ID + ":user/" + u.Name
			ids.users[u.AccessKeyID] = user{Principal{ARN: arn, Account: a.ID, UserID: uniqueID("AIDA", arn), Type: IAMUser}, u.SecretAccessKey}
		}
	}
	return ids, nil
}

// Resolve returns the principal of an access key ID and the secret to check
// its signature with. Nothing is proven until the signature has been checked.
// Errors: ErrUnknownKey, ErrInvalidToken, ErrExpiredToken.
func (ids *Identities) Resolve(accessKeyID, sessionToken string) (Principal, string, error) {
	if strings.HasPrefix(accessKeyID, temporaryPrefix) {
		return ids.resolveSession(accessKeyID, sessionToken)
	}
	u, ok := ids.users[accessKeyID]
	switch {
	case !ok:
		return Principal{}, "", ErrUnknownKey
	case sessionToken != "":
		return Principal{}, "", ErrInvalidToken
	}
	return u.principal, u.secret, nil
}

// known reports whether the user or role behind a sealed principal is still configured.
func (ids *Identities) known(p Principal) bool {
	a, ok := ids.accounts[p.Account]
	if !ok {
		return false
	}
	for _, u := range a.Users {
		if p.Type == IAMUser && p.ARN == "arn:aws:iam::"+a.ID+":user/"+u.Name {
			return true
		}
	}
	for _, r := range a.Roles {
		if p.Type == AssumedRole && strings.HasPrefix(p.ARN, "arn:aws:sts::"+a.ID+":assumed-role/"+r.Name+"/") {
			return true
		}
	}
	return false
}

// uniqueID returns an IAM unique identifier (a prefix and 17 characters) that is
// always the same for an ARN.
func uniqueID(prefix, arn string) string {
	h := sha256.Sum256([]byte(arn))
	return prefix + base32.StdEncoding.EncodeToString(h[:])[:17]
}
