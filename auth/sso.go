package auth

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// hasLegacySSO is SharedConfig.hasLegacySSOConfiguration of the SDK.
func hasLegacySSO(p *config.SharedConfig) bool {
	return p.SSORegion != "" || p.SSOAccountID != "" || p.SSOStartURL != "" || p.SSORoleName != ""
}

// sso is a role of IAM Identity Center. The access token of the login is part of
// it: another user's login makes another credential source, and a logout none.
func (c *resolver) sso(p *config.SharedConfig) (CredentialSource, error) {
	r := CredentialSource{Kind: KindSSO, base: KindSSO, Stable: true,
		Steps: []string{fmt.Sprintf("IAM Identity Center role %s in account %s", p.SSORoleName, p.SSOAccountID)}}
	if hasLegacySSO(p) {
		r.sources = append(r.sources, aws.CredentialSourceProfileSSOLegacy, aws.CredentialSourceSSOLegacy)
	} else {
		r.sources = append(r.sources, aws.CredentialSourceSSO)
	}
	session := []string{p.SSOStartURL, p.SSORegion}
	name := p.SSOStartURL
	if p.SSOSession != nil {
		r.sources = append(r.sources, aws.CredentialSourceProfileSSO)
		name = p.SSOSession.Name
		session = []string{name, p.SSOSession.SSOStartURL, p.SSOSession.SSORegion}
	}
	sum := sha1.Sum([]byte(name)) // the SDK's and the CLI's name of the file
	path, err := c.env.inHome("sso", "cache", hex.EncodeToString(sum[:])+".json")
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrNoCredentials, err)
	}
	access, err := c.accessToken(path)
	if err != nil {
		return r, &loginError{profile: p.Profile, command: "aws sso login", err: err}
	}
	r.material = slices.Concat([]string{"sso"}, session, []string{p.SSOAccountID, p.SSORoleName, hash(access)}, c.overrides)
	return r, nil
}

// login is a session of `aws login`.
func (c *resolver) login(session string) (CredentialSource, error) {
	r := CredentialSource{Kind: KindLogin, base: KindLogin, Stable: true, Steps: []string{"login session " + session},
		sources: []aws.CredentialSource{aws.CredentialSourceProfileLogin, aws.CredentialSourceLogin}}
	directory := c.env.get("AWS_LOGIN_CACHE_DIRECTORY")
	if directory == "" {
		var err error
		if directory, err = c.env.inHome("login", "cache"); err != nil {
			return r, fmt.Errorf("%w: %w", ErrNoCredentials, err)
		}
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(session)))
	token, err := c.readToken(filepath.Join(directory, hex.EncodeToString(sum[:])+".json"))
	if err != nil {
		return r, &loginError{command: "aws login", err: err}
	}
	principal := session // the ARN of who logged in, says the SDK's LoginSession
	if !strings.HasPrefix(session, "arn:") {
		principal = hash(token)
	}
	r.material = slices.Concat([]string{"login", session, principal}, c.overrides)
	return r, nil
}

// accessToken reads the token of an SSO login from the SDK's cache.
func (c *resolver) accessToken(path string) (string, error) {
	text, err := c.readToken(path)
	if err != nil {
		return "", err
	}
	var cached struct {
		AccessToken string `json:"accessToken"`
	}
	// The error of the decoder is not repeated: it may quote the token.
	if json.Unmarshal([]byte(text), &cached) != nil || cached.AccessToken == "" {
		return "", fmt.Errorf("%s holds no access token", path)
	}
	return cached.AccessToken, nil
}

// loginError reports that nobody is logged in.
type loginError struct {
	profile string
	command string
	err     error
}

func (e *loginError) Error() string {
	return fmt.Sprintf("%v: nobody is logged in (%v)", ErrNoCredentials, e.err)
}

func (e *loginError) Unwrap() []error { return []error{ErrNoCredentials, e.err} }

// next is the command that helps.
func (e *loginError) next() string {
	if e.profile == "" || e.profile == config.DefaultSharedConfigProfile {
		return "run `" + e.command + "`"
	}
	return "run `" + e.command + " --profile " + e.profile + "`"
}
