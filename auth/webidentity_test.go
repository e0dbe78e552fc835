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
	for _, more := range []string{
		`,"exp":1.8e9,"iat":1.7e9,"nbf":1.7e9,"jti":"x"`, `,"kubernetes.io":{"warnafter":1}`, `,"auth_time":1,"nonce":"n","at_hash":"h"`,
		`,"run_id":"7","run_number":"7","run_attempt":"7","check_run_id":"7","sha":"7"`, `,"pipeline_id":"7","job_id":"7"`,
		`,"oidc.circleci.com/job-id":"7","oidc.circleci.com/pipeline-id":"7","oidc.circleci.com/workflow-id":"7"`,
	} {
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
		base + `,"job_workflow_ref":"o/r/.github/workflows/test.yml@main"}`,
		base + `,"job_workflow_ref":"o/r/.github/workflows/release.yml@main"}`,
		base + `,"environment":"test"}`, base + `,"environment":"production"}`, base + `,"actor":"a"}`, base + `,"repository_id":"7"}`,
		base + `,"google":{"organization_number":7}}`, base + `,"oidc.circleci.com/project-id":"7"}`, base + `,"email":"a@b"}`,
		base + `,"Sub":"t"}`, base + `,"ISS":"j"}`,
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

// A token whose claims can be read in two ways is its own principal.
func TestAmbiguousToken(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{
		`{"iss":"i","sub":"s","sub":"t"}`, `{"iss":"i","iss":"j","sub":"s"}`, `{"iss":"i","s\u0075b":"s","sub":"t"}`,
		`{"iss":"i","sub":"s","https://aws.amazon.com/tags":{"a":1,"a":2}}`, "{\"iss\":\"i\",\"sub\":\"s\xff\"}",
		`{"ISS":"i","SUB":"s"}`, `{"iss":["i"],"sub":"s"}`, `{"iss":"i","sub":"s","exp":"1"}`,
	} {
		if c, ok := parseJWT("e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".x"); ok {
			t.Errorf("%q is the principal %q", payload, c.principal())
		}
	}
}
