package fakeaws

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
)

// A Login is what `aws sso login` leaves in the home directory.
type Login struct {
	User     string
	Session  string        // the name of the sso-session section; "" for a profile with sso_start_url only
	StartURL string        // default StartURL
	Region   string        // default us-east-1
	Lifetime time.Duration // of the access token; default 8 hours; it may be negative
	// Renewed is the lifetime of the access tokens obtained by the login's refresh token; 0 is a login
	// without a refresh token.
	Renewed time.Duration
}

// StartURL is the address of the portal in a [Login] that has none.
const StartURL = "https://fake.awsapps.com/start"

// cacheFile is the file that the aws CLI and the SDKs share:
// https://docs.aws.amazon.com/sdkref/latest/guide/understanding-sso.html.
type cacheFile struct {
	StartURL              string `json:"startUrl"`
	Region                string `json:"region"`
	AccessToken           string `json:"accessToken"`
	ExpiresAt             string `json:"expiresAt"`
	ClientID              string `json:"clientId,omitempty"`
	ClientSecret          string `json:"clientSecret,omitempty"`
	RegistrationExpiresAt string `json:"registrationExpiresAt,omitempty"`
	RefreshToken          string `json:"refreshToken,omitempty"`
}

// CachePath returns the path of the cache file of an SSO session's name or, without a session, of a
// start URL.
func CachePath(home, nameOrURL string) string {
	sum := sha1.Sum([]byte(nameOrURL))
	return filepath.Join(cacheDir(home), hex.EncodeToString(sum[:])+".json")
}

func cacheDir(home string) string { return filepath.Join(home, ".aws", "sso", "cache") }

// Login writes the cache file of a login under a home directory, and returns the access token.
func (s *Portal) Login(home string, l Login) (accessToken string, err error) {
	if l.StartURL == "" {
		l.StartURL = StartURL
	}
	if l.Region == "" {
		l.Region = "us-east-1"
	}
	if l.Lifetime == 0 {
		l.Lifetime = 8 * time.Hour
	}
	name := l.Session
	if name == "" {
		name = l.StartURL
	}
	content, err := json.Marshal(s.login(l))
	if err != nil {
		return "", fmt.Errorf("SSO login of %s: %w", l.User, err)
	}
	path := CachePath(home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("SSO login of %s: %w", l.User, err)
	}
	if err := files.WriteFileUnsynced(path, content, 0o600); err != nil {
		return "", fmt.Errorf("SSO login of %s: %w", l.User, err)
	}
	return readAccessToken(path), nil
}

func (s *Portal) login(l Login) cacheFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	file := cacheFile{
		StartURL: l.StartURL, Region: l.Region, AccessToken: s.accessToken(l.User, l.Lifetime), ExpiresAt: awsTime(now.Add(l.Lifetime)),
	}
	if l.Renewed != 0 {
		file.ClientID, file.ClientSecret = random(18), random(60)
		s.clients[file.ClientID] = file.ClientSecret
		s.principals.secret(file.ClientSecret)
		file.RegistrationExpiresAt = awsTime(now.Add(90 * 24 * time.Hour))
		file.RefreshToken = s.refreshToken(l.User, l.Renewed)
	}
	return file
}

// readAccessToken returns the access token of a cache file, or "".
func readAccessToken(path string) string {
	raw, err := os.ReadFile(path)
	var file cacheFile
	if err != nil || json.Unmarshal(raw, &file) != nil {
		return ""
	}
	return file.AccessToken
}

// Logout ends all logins of a home directory as `aws sso logout` does: the portal forgets the tokens,
// and the cache files go.
func (s *Portal) Logout(home string) error {
	paths, err := filepath.Glob(filepath.Join(cacheDir(home), "*.json"))
	for _, path := range paths {
		if token := readAccessToken(path); token != "" {
			s.Revoke(token)
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil {
		return fmt.Errorf("SSO logout: %w", err)
	}
	return nil
}
