package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"time"
)

// IssuerKeyID is the kid of the key that signs the server's own ID tokens.
const IssuerKeyID = "ecrkit-local"

// webIdentityLife is that of an ID token in a pod of Amazon EKS:
// https://docs.aws.amazon.com/eks/latest/userguide/pod-configuration.html
const webIdentityLife = 24 * time.Hour

// A JSONWebKey is a public key of an issuer: RFC 7517, and RFC 7518, section 6.2.
type JSONWebKey struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
}

// issuerKey derives the key that signs ID tokens from the server's key.
func issuerKey(serverKey []byte) *ecdsa.PrivateKey {
	for seed := deriveKey(serverKey, "web identity issuer"); ; seed = deriveKey(seed, "web identity issuer") {
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed); err == nil {
			return key // all but one of 2³² seeds are a key
		}
	}
}

// IssuerKeys returns the public keys of the server's own issuer.
func (ids *Identities) IssuerKeys() ([]JSONWebKey, error) {
	point, err := ids.issuer.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	return []JSONWebKey{{"EC", "P-256", encode(point[1:33]), encode(point[33:]), IssuerKeyID, "ES256", "sig"}}, nil
}

// IssueWebIdentity returns an ID token of the server's own issuer, and when it expires.
func (ids *Identities) IssueWebIdentity(issuer, audience, subject string) (token string, expires time.Time, err error) {
	now := ids.clock()
	expires = now.Add(webIdentityLife).UTC().Truncate(time.Second)
	claims, err := json.Marshal(map[string]any{
		"iss": issuer, "aud": []string{audience}, "sub": subject, "iat": now.Unix(), "nbf": now.Unix(), "exp": expires.Unix(),
	})
	if err != nil {
		return "", expires, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"ES256","kid":"`+IssuerKeyID+`","typ":"JWT"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, ids.issuer, sum[:])
	if err != nil {
		return "", expires, err
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...) // RFC 7518, section 3.4
	return signed + "." + encode(signature), expires, nil
}

// checkSignature checks that the server's own issuer has signed a token.
func (ids *Identities) checkSignature(c *jwtClaims) error {
	sum := sha256.Sum256([]byte(c.signed))
	if c.Algorithm != "ES256" || c.KeyID != IssuerKeyID || len(c.signature) != 64 ||
		!ecdsa.Verify(&ids.issuer.PublicKey, sum[:], new(big.Int).SetBytes(c.signature[:32]), new(big.Int).SetBytes(c.signature[32:])) {
		return stsError("InvalidIdentityToken", "The ID Token's signature is not that of its issuer, %s", c.Issuer)
	}
	return nil
}
