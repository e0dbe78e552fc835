package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/docker/docker-credential-helpers/credentials"
)

// CredentialHelper is a docker credential helper over [Tokens].
type CredentialHelper struct {
	// Context bounds each call: the protocol's interface has no place for one.
	// nil is context.Background.
	Context context.Context
	// Tokens has the tokens; nil keeps tokens in memory only.
	Tokens     *Tokens
	Registries Registries
	// Logger hears, at warn level, what the protocol has no place for; nil is silent.
	Logger *slog.Logger

	own Tokens // if Tokens is nil
}

func (h *CredentialHelper) tokens() *Tokens {
	if h.Tokens == nil {
		return &h.own
	}
	return h.Tokens
}

var _ credentials.Helper = (*CredentialHelper)(nil)

// Get returns the user name "AWS" and the token for the registry at serverURL.
// For a host that is not ECR the error is the protocol's "credentials not
// found", upon which clients continue anonymously. This is the case if there is no token for
// ECR Public, from which anybody may pull; why is logged. Any failure at a
// private registry is an error of its own, "ecr: " with the cause and the next step.
func (h *CredentialHelper) Get(serverURL string) (username, secret string, err error) {
	r, err := h.Registries.Parse(serverURL)
	if err != nil {
		return "", "", credentials.NewErrCredentialsNotFound()
	}
	token, err := h.tokens().Token(h.context(), r)
	switch {
	case err == nil:
		return Username, token.Secret, nil
	case r.Public:
		h.log().Warn(fmt.Sprintf("going on without credentials: %v", err))
		return "", "", credentials.NewErrCredentialsNotFound()
	}
	return "", "", fmt.Errorf("ecr: %w", err)
}

// Add succeeds for a host of ECR and stores nothing, as the token comes from AWS:
// an error would make `docker login` fail. For any other host it is an error.
func (h *CredentialHelper) Add(c *credentials.Credentials) error {
	if _, err := h.Registries.Parse(c.ServerURL); err != nil {
		return fmt.Errorf("%s is not an Amazon ECR registry, and no helper is configured that stores its credentials; set fallback: in ecrkit's config.yaml, or give this host another helper in credHelpers", c.ServerURL)
	}
	h.log().Warn("nothing is stored for " + c.ServerURL + ": its token is got from AWS when it is needed")
	return nil
}

// Delete removes the token of the identity that is asked for the host. That
// there is none is not an error.
func (h *CredentialHelper) Delete(serverURL string) error {
	r, err := h.Registries.Parse(serverURL)
	if errors.Is(err, ErrNotECR) {
		return nil
	}
	if err != nil {
		return err
	}
	return h.tokens().Forget(h.context(), r)
}

// List returns the hosts for which there is a token now, without any call.
func (h *CredentialHelper) List() (map[string]string, error) {
	hosts, err := h.tokens().Hosts(h.context())
	if err != nil {
		return nil, err
	}
	list := map[string]string{}
	for _, host := range hosts {
		list[host] = Username
	}
	return list, nil
}

func (h *CredentialHelper) context() context.Context {
	if h.Context == nil {
		return context.Background()
	}
	return h.Context
}

func (h *CredentialHelper) log() *slog.Logger {
	if h.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.Logger
}
