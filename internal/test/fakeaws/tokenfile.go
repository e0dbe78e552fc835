package fakeaws

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
)

// A TokenFile is the file of a JSON web token that is renewed all the time, as a kubelet or a CI
// runner does for web identities and EKS Pod Identity.
type TokenFile struct {
	Path     string
	Claims   Claims           // without the times and the ID
	Lifetime time.Duration    // of a token; default one hour
	Now      func() time.Time // default time.Now
}

// Rotate replaces the file by a fresh token with the same issuer, subject and audience, in one step,
// and returns the token.
func (f *TokenFile) Rotate() (string, error) {
	now, lifetime, claims := f.Now, f.Lifetime, f.Claims
	if now == nil {
		now = time.Now
	}
	if lifetime == 0 {
		lifetime = time.Hour
	}
	claims.ID = random(12)
	claims.IssuedAt = now()
	claims.ExpiresAt = claims.IssuedAt.Add(lifetime)
	token := JWT(claims)
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	if err := files.WriteFileUnsynced(f.Path, []byte(token), 0o600); err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	return token, nil
}
