package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ecrkit/ecrkit/internal/files"
)

// maxToken bounds a token file, in bytes.
const maxToken = 64 << 10

func (c *resolver) webIdentity(source aws.CredentialSource, path, roleARN, sessionName string) (CredentialSource, error) {
	r := CredentialSource{Kind: KindWebIdentity, base: KindWebIdentity, Stable: true,
		sources: []aws.CredentialSource{source},
		Steps:   []string{"web identity token " + path, "assume " + roleARN}}
	if roleARN == "" {
		return r, fmt.Errorf("%w: a web identity token file without a role; set AWS_ROLE_ARN or role_arn", ErrNoCredentials)
	}
	token, err := c.readToken(path)
	if err != nil {
		return r, fmt.Errorf("%w: web identity token: %w", ErrNoCredentials, err)
	}
	principal, err := c.principal(token, path)
	if err != nil {
		return r, err
	}
	r.material = slices.Concat([]string{"web-identity", roleARN, sessionName}, principal, c.overrides)
	return r, nil
}

// principal returns what identifies the bearer of a token, whose place messages name. It
// fails if the token has expired.
func (c *resolver) principal(token, place string) ([]string, error) {
	claims, ok := parseJWT(token)
	if !ok {
		return []string{hash(token)}, nil
	}
	if claims.Expires != 0 {
		c.until = time.Unix(int64(claims.Expires), 0)
	}
	if claims.Expires != 0 && !c.now().Before(c.until) {
		return nil, fmt.Errorf("%w: the web identity token %s expired at %s", ErrNoCredentials, place, c.until.UTC().Format(time.RFC3339))
	}
	return claims.principal(), nil
}

// claims are those of a JSON web token (RFC 7519) that decide what its bearer may do.
type claims struct {
	Issuer  string  `json:"iss"`
	Subject string  `json:"sub"`
	Expires float64 `json:"exp"` // seconds since 1970

	// session are the other claims that AWS takes into the session: the audience,
	// session tags, the source identity. They are NAME, JSON pairs sorted by name.
	session []string
}

func (c claims) principal() []string {
	return slices.Concat([]string{"jwt", c.Issuer, c.Subject}, c.session)
}

// isSessionClaim reports whether AWS takes a claim into the session: the condition
// keys of web identity federation and what tags the session, nested or flattened. See
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
// and https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html.
func isSessionClaim(name string) bool {
	switch name {
	case "aud", "azp", "amr":
		return true
	}
	return strings.HasPrefix(name, "https://aws.amazon.com/")
}

// parseJWT returns the claims of a token. It does not check the signature: the claims
// only tell two callers apart. A token without issuer and subject is not ok.
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
	var all map[string]json.RawMessage
	if json.Unmarshal(data, &all) != nil {
		return claims{}, false
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if isSessionClaim(name) {
			c.session = append(c.session, name, string(all[name]))
		}
	}
	return c, true
}

// readToken reads a token file without its surrounding white space.
func (c *resolver) readToken(path string) (string, error) {
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
