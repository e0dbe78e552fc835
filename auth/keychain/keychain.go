// Package keychain provides go-containerregistry with the credentials of Amazon ECR
// registries. It is apart from package auth so that a credential helper need not
// link go-containerregistry.
package keychain

import (
	"context"
	"errors"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/ecrkit/ecrkit/auth"
)

// Keychain is the [authn.Keychain] of Amazon ECR registries.
type Keychain struct {
	// Tokens has the tokens; nil keeps tokens in memory only.
	Tokens     auth.TokenSource
	Registries auth.Registries

	own auth.Tokens // if Tokens is nil
}

var (
	_ authn.Keychain        = (*Keychain)(nil)
	_ authn.ContextKeychain = (*Keychain)(nil)
)

// Resolve is ResolveContext without a context.
func (k *Keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), target)
}

// ResolveContext gets a token for the target's registry. A target that is not
// ECR is anonymous, so that a multi-keychain asks its next member. A
// failure at a private registry is an [*auth.Error], never anonymous; at ECR
// Public, which can be read without a token, it is anonymous.
func (k *Keychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	r, err := k.Registries.Parse(target.RegistryStr())
	if errors.Is(err, auth.ErrNotECR) {
		return authn.Anonymous, nil
	}
	if err != nil {
		return nil, err
	}
	tokens := k.Tokens
	if tokens == nil {
		tokens = &k.own
	}
	token, err := tokens.Token(ctx, r)
	switch {
	case err == nil:
		return &authn.Basic{Username: auth.Username, Password: token.Secret}, nil
	case r.Public && ctx.Err() == nil:
		return authn.Anonymous, nil
	}
	return nil, err
}
