package auth

import (
	"context"
	"time"
)

// Username is the user name that goes with every token.
const Username = "AWS"

// Token is what a registry takes as the password of the user "AWS".
type Token struct {
	Secret    string    // the password
	IssuedAt  time.Time // by the clock of this machine
	ExpiresAt time.Time // by the clock of this machine; Amazon ECR's tokens live for 12 hours
}

// String hides the secret, so that a token may be printed by mistake.
func (Token) String() string { return "authorization token (hidden)" }

// GoString hides the secret from %#v.
func (t Token) GoString() string { return t.String() }

// TokenSource returns a token that is valid now for a registry.
type TokenSource interface {
	Token(ctx context.Context, r Registry) (Token, error)
}
