package fakeaws

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
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
	if err := replace(f.Path, []byte(token)); err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	return token, nil
}

// replace writes a file so that a reader sees the old or the new content.
func replace(path string, content []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(content)
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
