package fakeaws

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"
)

// Claims are those of a JSON web token: https://www.rfc-editor.org/rfc/rfc7519#section-4.1.
type Claims struct {
	Issuer   string // default: Issuer
	Subject  string
	Audience []string // default: sts.amazonaws.com
	// Array writes a single audience as an array, as Kubernetes does. Otherwise it is a string, as
	// GitHub writes it.
	Array     bool
	ID        string    // of the token; "" leaves it out
	IssuedAt  time.Time // in whole seconds
	ExpiresAt time.Time // in whole seconds
}

// payload is how claims are written.
type payload struct {
	Issuer    string  `json:"iss"`
	Subject   string  `json:"sub"`
	Audience  any     `json:"aud"`
	ID        string  `json:"jti,omitempty"`
	IssuedAt  float64 `json:"iat"`
	ExpiresAt float64 `json:"exp"`
}

// JWT returns a well-formed JSON web token whose signature is none.
func JWT(c Claims) string {
	p := payload{c.Issuer, c.Subject, c.Audience, c.ID, float64(c.IssuedAt.Unix()), float64(c.ExpiresAt.Unix())}
	if p.Issuer == "" {
		p.Issuer = Issuer
	}
	audience := c.Audience
	if len(audience) == 0 {
		audience = []string{"sts.amazonaws.com"}
	}
	if p.Audience = audience; len(audience) == 1 && !c.Array {
		p.Audience = audience[0]
	}
	claims, _ := json.Marshal(p) // strings and finite numbers always marshal
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","kid":"fake","typ":"JWT"}`)) + "." + encode(claims) + "." + encode([]byte("this is not a signature"))
}

// errJWT does not repeat the token.
var errJWT = errors.New("not a JSON web token with iss, sub, aud and exp")

// ReadJWT reads the claims of a JSON web token, whose signature it does not check. It must have iss,
// sub, aud and exp.
func ReadJWT(token string) (Claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[2] == "" {
		return Claims{}, errJWT
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	var p payload
	for i, v := range []any{&header, &p} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, v) != nil {
			return Claims{}, errJWT
		}
	}
	c := Claims{Issuer: p.Issuer, Subject: p.Subject, ID: p.ID}
	switch audience := p.Audience.(type) {
	case string:
		c.Audience = []string{audience}
	case []any:
		c.Array = true
		for _, one := range audience {
			s, ok := one.(string)
			if !ok {
				return Claims{}, errJWT
			}
			c.Audience = append(c.Audience, s)
		}
	}
	const year9999 = 253402300799 // the last that a time in JSON can have
	if header.Algorithm == "" || c.Issuer == "" || c.Subject == "" || len(c.Audience) == 0 ||
		p.ExpiresAt <= 0 || p.ExpiresAt > year9999 || math.Abs(p.IssuedAt) > year9999 {
		return Claims{}, errJWT
	}
	c.IssuedAt, c.ExpiresAt = time.Unix(int64(p.IssuedAt), 0), time.Unix(int64(p.ExpiresAt), 0)
	return c, nil
}

// principal is how the bearer is written.
func (c Claims) principal() string {
	if c.Issuer == Issuer {
		return c.Subject
	}
	return c.Issuer + "#" + c.Subject
}
