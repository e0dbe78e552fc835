package auth

import (
	"context"
	"errors"

	"github.com/docker/docker-credential-helpers/credentials"
	"github.com/google/go-containerregistry/pkg/authn"
)

// Helper is a docker credential helper over a [TokenSource].
type Helper struct {
	// Context bounds each call: the protocol's interface has no place for one.
	// nil is context.Background.
	Context context.Context
	Tokens  TokenSource
	Mapping Mapping
}

var _ credentials.Helper = (*Helper)(nil)

// Get gives the user name "AWS" and the token for the registry at serverURL.
// For a host that is not ECR the error is the protocol's "credentials not
// found", upon which clients go on anonymously; any failure at an ECR host is
// an error of its own with the cause and the next step.
func (h *Helper) Get(serverURL string) (username, secret string, err error) {
	r, err := ParseRegistry(serverURL, h.Mapping)
	if errors.Is(err, ErrNotECR) {
		return "", "", credentials.NewErrCredentialsNotFound()
	}
	if err != nil {
		return "", "", err
	}
	ctx := h.Context
	if ctx == nil {
		ctx = context.Background()
	}
	token, err := h.Tokens.Token(ctx, r)
	if err != nil {
		return "", "", err
	}
	return Username, token.Secret, nil
}

// Add succeeds and stores nothing: the token comes from AWS each time. An error
// would make `docker login` fail.
func (h *Helper) Add(*credentials.Credentials) error { return nil }

// Delete succeeds and deletes nothing, as nothing is stored.
func (h *Helper) Delete(string) error { return nil }

// List is empty: nothing is stored.
func (h *Helper) List() (map[string]string, error) { return map[string]string{}, nil }

// Keychain gives go-containerregistry the credentials of ECR registries.
type Keychain struct {
	Tokens  TokenSource
	Mapping Mapping
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
// ECR is anonymous, so that a multi-keychain goes on to its next member; a
// failure at an ECR host is an error, never anonymous.
func (k *Keychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	r, err := ParseRegistry(target.RegistryStr(), k.Mapping)
	if errors.Is(err, ErrNotECR) {
		return authn.Anonymous, nil
	}
	if err != nil {
		return nil, err
	}
	token, err := k.Tokens.Token(ctx, r)
	if err != nil {
		return nil, err
	}
	return &authn.Basic{Username: Username, Password: token.Secret}, nil
}
