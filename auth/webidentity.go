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
	"github.com/ecrkit/ecrkit/internal/strictjson"
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
	Issuer  string  // iss
	Subject string  // sub
	Expires float64 // exp, in seconds since 1970

	// others are all other claims that are not of one token alone: the policy of a role
	// can ask for them, and some tag the session. They are NAME, JSON pairs sorted by name.
	others []string
}

func (c claims) principal() []string {
	return slices.Concat([]string{"jwt", c.Issuer, c.Subject}, c.others)
}

// passing are the claims that no policy of AWS can ask for and that differ between the tokens that
// one caller gets in turn: of time, of one token, of one run of a pipeline, of a pod and its node. All others
// count, as AWS adds condition keys, of which those for claims of GitHub, Google and CircleCI are the latest:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html.
var passing = map[string]bool{
	"exp": true, "nbf": true, "iat": true, "jti": true, "auth_time": true, "nonce": true, "at_hash": true, "c_hash": true,
	"kubernetes.io": true,                                                                             // its namespace and account are in the subject
	"run_id":        true, "run_number": true, "run_attempt": true, "check_run_id": true, "sha": true, // GitHub
	"pipeline_id": true, "job_id": true, // GitLab
	"oidc.circleci.com/job-id": true, "oidc.circleci.com/pipeline-id": true, "oidc.circleci.com/workflow-id": true,
}

// parseJWT returns the claims of a token. It does not check the signature: the claims
// only tell two callers apart. A token without issuer and subject is not ok, nor is one that two
// programs may read differently.
func parseJWT(token string) (c claims, ok bool) {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, signed := strings.Cut(rest, ".")
	if !signed {
		return claims{}, false
	}
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(payload, "="))
	// A map, since the fields of a struct take names in any case.
	var all map[string]json.RawMessage
	if err != nil || strictjson.Unmarshal(data, &all) != nil {
		return claims{}, false
	}
	for name, value := range map[string]any{"iss": &c.Issuer, "sub": &c.Subject, "exp": &c.Expires} {
		if raw, has := all[name]; has && json.Unmarshal(raw, value) != nil {
			return claims{}, false
		}
	}
	if c.Issuer == "" || c.Subject == "" || c.Expires < 0 || c.Expires > 1e11 {
		return claims{}, false
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if name != "iss" && name != "sub" && !passing[name] {
			c.others = append(c.others, name, string(all[name]))
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
