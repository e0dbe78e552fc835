package auth

import (
	"math/rand/v2"
	"time"
)

// When a token is renewed, and for how long a renewal may take while the token is
// still valid. When a token must no longer be used is decided by
// [tokenstore.Entry.State].
const (
	renewalAge          = 0.5             // of the token's life: 6 of Amazon ECR's 12 hours
	renewalSpread       = 0.05            // of the renewal age, either way
	defaultRenewTimeout = 3 * time.Second // see Tokens.RenewTimeout
)

// renewAt returns when a token is to be renewed. It varies from token to token, so
// that many machines that started together do not renew together. It is stored with
// the token: all processes of a machine agree on it.
func renewAt(token Token) time.Time {
	age := renewalAge * (1 + renewalSpread*(2*rand.Float64()-1))
	lifetime := token.ExpiresAt.Sub(token.IssuedAt)
	return token.IssuedAt.Add(time.Duration(age * float64(lifetime)))
}
