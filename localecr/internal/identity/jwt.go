package identity

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

const (
	maxJWT     = 20000 // characters, as WebIdentityToken in STS's API reference
	invalidJWT = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)

// jwtAlgorithms are those that AWS accepts in ID tokens.
var jwtAlgorithms = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}

// jwtClaims are the claims of an ID token that a role's conditions look at.
type jwtClaims struct {
	Issuer    string
	Subject   string
	Audience  audiences
	Expires   *int64 // Unix seconds; AWS refuses fractions
	NotBefore *int64

	Algorithm, KeyID string // of the header
	signed           string // header and claims, as they were encoded
	signature        []byte
}

// audiences is one string or an array of strings: RFC 7519, 4.1.3.
type audiences []string

func (a *audiences) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte(`"`)) {
		var one string
		err := json.Unmarshal(data, &one)
		*a = audiences{one}
		return err
	}
	var several []string
	err := json.Unmarshal(data, &several)
	*a = several
	return err
}

// parseJWT reads a signed token without checking the signature.
// The error is an *Error with the code InvalidIdentityToken.
func parseJWT(token string) (*jwtClaims, error) {
	invalid := stsError("InvalidIdentityToken", invalidJWT)
	if len(token) > maxJWT {
		return nil, violation("…", "webIdentityToken", "have length less than or equal to 20000")
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, invalid
	}
	raw := make([][]byte, 3)
	for i, part := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(part); err != nil || len(raw[i]) == 0 {
			return nil, invalid
		}
	}
	var header struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}
	if json.Unmarshal(raw[0], &header) != nil {
		return nil, invalid
	}
	if !slices.Contains(jwtAlgorithms, header.Algorithm) {
		return nil, stsError("InvalidIdentityToken", "The token's algorithm is not one of %s", strings.Join(jwtAlgorithms, ", "))
	}
	// Through a map, since encoding/json would take "AUD" for "aud".
	var all map[string]json.RawMessage
	if json.Unmarshal(raw[1], &all) != nil {
		return nil, invalid
	}
	claims := jwtClaims{Algorithm: header.Algorithm, KeyID: header.KeyID, signed: parts[0] + "." + parts[1], signature: raw[2]}
	for name, into := range map[string]any{
		"iss": &claims.Issuer, "sub": &claims.Subject, "aud": &claims.Audience, "exp": &claims.Expires, "nbf": &claims.NotBefore,
	} {
		if value, ok := all[name]; ok && json.Unmarshal(value, into) != nil {
			return nil, invalid
		}
	}
	for _, c := range []struct {
		name    string
		missing bool
	}{
		{"iss", claims.Issuer == ""}, {"sub", claims.Subject == ""}, {"aud", len(claims.Audience) == 0}, {"exp", claims.Expires == nil},
	} {
		if c.missing {
			return nil, stsError("InvalidIdentityToken", "Missing a required claim: %s", c.name)
		}
	}
	return &claims, nil
}

func (c *jwtClaims) checkTime(now time.Time) error {
	if *c.Expires <= now.Unix() {
		return stsError("ExpiredTokenException", "Token expired: current date/time %d must be before the expiration date/time %d", now.Unix(), *c.Expires)
	}
	if c.NotBefore != nil && *c.NotBefore > now.Unix() {
		return stsError("InvalidIdentityToken", "Token is not valid yet: current date/time %d must be after the not-before date/time %d", now.Unix(), *c.NotBefore)
	}
	return nil
}

func (c *jwtClaims) check(want WebIdentity) error {
	switch {
	case want.Issuer == OwnIssuer && c.KeyID != IssuerKeyID, want.Issuer != OwnIssuer && want.Issuer != "" && c.Issuer != want.Issuer:
		return stsError("InvalidIdentityToken", "No OpenIDConnect provider found in your account for %s", c.Issuer)
	case !slices.Contains(c.Audience, want.Audience):
		return stsError("InvalidIdentityToken", "Incorrect token audience")
	case want.Subject != "" && !like(want.Subject, c.Subject):
		return errNotAuthorized()
	}
	return nil
}

// like matches as IAM's StringLike: * is any run of characters, ? any one. It
// takes at most len(pattern) × len(s) steps.
func like(pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0 // the last * and where its run ends
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
