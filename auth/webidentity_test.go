package auth

import (
	"encoding/base64"
	"slices"
	"testing"
)

// Tokens that give different rights have different keys, and tokens that were only
// issued at different times have the same.
func TestPrincipalOfToken(t *testing.T) {
	principal := func(payload string) []string {
		t.Helper()
		c, ok := parseJWT("e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".x")
		if !ok {
			t.Fatalf("not a token: %s", payload)
		}
		return c.principal()
	}
	const base = `{"iss":"i","sub":"s","aud":"a"`
	same := principal(base + `}`)
	for _, more := range []string{`,"exp":1.8e9,"iat":1.7e9,"jti":"x"`, `,"kubernetes.io":{"warnafter":1}`, `,"run_id":"7"`} {
		if !slices.Equal(principal(base+more+`}`), same) {
			t.Errorf("%s makes another principal", more)
		}
	}
	seen := [][]string{same}
	for _, other := range []string{
		`{"iss":"i","sub":"s","aud":"b"}`, `{"iss":"i","sub":"s"}`, `{"iss":"j","sub":"s","aud":"a"}`, `{"iss":"i","sub":"t","aud":"a"}`,
		base + `,"azp":"z"}`, base + `,"amr":["z"]}`,
		base + `,"https://aws.amazon.com/source_identity":"me"}`,
		base + `,"https://aws.amazon.com/source_identity":"you"}`,
		base + `,"https://aws.amazon.com/tags":{"principal_tags":{"team":["a"]}}}`,
		base + `,"https://aws.amazon.com/tags":{"principal_tags":{"team":["b"]}}}`,
		base + `,"https://aws.amazon.com/tags/principal_tags/team":["a"]}`,
	} {
		p := principal(other)
		for _, earlier := range seen {
			if slices.Equal(p, earlier) {
				t.Errorf("%s is the principal %q", other, earlier)
			}
		}
		seen = append(seen, p)
	}
}
