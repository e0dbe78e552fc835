package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ecrkit/ecrkit/internal/files"
)

// maxToken bounds a token file, in bytes.
const maxToken = 64 << 10

func (c *cook) webIdentity(source aws.CredentialSource, path, roleARN, sessionName string) (Recipe, error) {
	r := Recipe{Kind: KindWebIdentity, base: KindWebIdentity, Stable: true,
		sources: []aws.CredentialSource{source},
		Steps:   []string{"web identity token " + path, "assume " + roleARN}}
	if roleARN == "" {
		return r, fmt.Errorf("%w: a web identity token file without a role; set AWS_ROLE_ARN or role_arn", ErrNoCredentials)
	}
	token, err := c.readToken(path)
	if err != nil {
		return r, fmt.Errorf("%w: web identity token: %w", ErrNoCredentials, err)
	}
	principal := []string{hash(token)}
	if claims, ok := parseJWT(token); ok {
		if claims.Expires != 0 {
			c.until = time.Unix(int64(claims.Expires), 0)
		}
		if claims.Expires != 0 && !c.now().Before(c.until) {
			return r, fmt.Errorf("%w: the web identity token %s expired at %s", ErrNoCredentials, path, c.until.UTC().Format(time.RFC3339))
		}
		principal = claims.principal()
	}
	r.material = slices.Concat([]string{"web-identity", roleARN, sessionName}, principal, c.overrides)
	return r, nil
}

// claims are those of a JSON web token (RFC 7519) that tell whose it is.
type claims struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience json.RawMessage `json:"aud"` // a string or an array of them
	Expires  float64         `json:"exp"` // seconds since 1970
}

func (c claims) principal() []string {
	return []string{"jwt", c.Issuer, c.Subject, string(c.Audience)}
}

// parseJWT reads the claims of a token, whose signature it does not check: the
// token is not trusted for it, it only tells two callers apart. Without issuer
// and subject it is not ok.
func parseJWT(token string) (c claims, ok bool) {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, signed := strings.Cut(rest, ".")
	if !signed {
		return claims{}, false
	}
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(payload, "="))
	if err != nil || json.Unmarshal(data, &c) != nil || c.Issuer == "" || c.Subject == "" {
		return claims{}, false
	}
	if c.Expires < 0 || c.Expires > 1e11 {
		return claims{}, false
	}
	return c, true
}

// readToken reads a token file without its surrounding white space.
func (c *cook) readToken(path string) (string, error) {
	c.files = append(c.files, path)
	data, err := files.Read(path, maxToken)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", errors.New(path + " is empty")
	}
	return token, nil
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
