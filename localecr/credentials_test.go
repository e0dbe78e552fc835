package localecr_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestCredentialSources lets the AWS SDK find credentials as it does on AWS.
func TestCredentialSources(t *testing.T) {
	r := newRig(t, localecr.Options{})
	for _, c := range []struct {
		source       localecr.CredentialSource
		arn, through string // the principal, and the SDK's name of the provider
	}{
		{localecr.Keys, "arn:aws:iam::000000000000:user/ecrkit", "EnvConfigCredentials"},
		{localecr.Container, "arn:aws:sts::000000000000:assumed-role/ecrkit/container", "CredentialsEndpointProvider"},
		{localecr.Instance, "arn:aws:sts::000000000000:assumed-role/ecrkit/i-0ecrkitlocal00000", "EC2RoleProvider"},
		{localecr.IDToken, "arn:aws:sts::000000000000:assumed-role/ecrkit/web-identity", "WebIdentityCredentials"},
	} {
		t.Run(string(c.source), func(t *testing.T) {
			tokenFile := filepath.Join(t.TempDir(), "token")
			if c.source == localecr.IDToken {
				if err := os.WriteFile(tokenFile, []byte(idToken(t, r, nil).Token), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			set, unset, err := localecr.CredentialsEnv(r.srv.Registry, nil, c.source, tokenFile)
			if err != nil {
				t.Fatal(err)
			}
			// What a machine may have is overridden.
			for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"} {
				t.Setenv(name, "of another")
			}
			for _, name := range []string{
				"AWS_EC2_METADATA_DISABLED", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
			} {
				t.Setenv(name, "true")
			}
			for _, name := range unset {
				t.Setenv(name, "of another") // and is restored after the test
				if err := os.Unsetenv(name); err != nil {
					t.Fatal(err)
				}
			}
			for _, entry := range set {
				name, value, _ := strings.Cut(entry, "=")
				t.Setenv(name, value)
			}
			cfg, err := config.LoadDefaultConfig(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			keys, err := cfg.Credentials.Retrieve(t.Context())
			if err != nil || !strings.Contains(keys.Source, c.through) {
				t.Fatalf("credentials are from %q, %v; want %s", keys.Source, err, c.through)
			}
			who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			if err != nil || *who.Arn != c.arn {
				t.Fatalf("caller is %+v, %v; want %s", who, err, c.arn)
			}
			if _, err := ecr.NewFromConfig(cfg).DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// idToken asks the server's issuer for a token.
func idToken(t *testing.T, r *rig, accounts []localecr.Account) (token localecr.WebIdentityToken) {
	t.Helper()
	request, err := localecr.WebIdentityRequest(r.srv.Registry, accounts)
	if err != nil {
		t.Fatal(err)
	}
	answer := do(t, request)
	if err := json.Unmarshal(answer.body, &token); err != nil || answer.status != 200 {
		t.Fatalf("%d %s", answer.status, answer.body)
	}
	return token
}

type sent struct {
	status int
	header http.Header
	body   []byte
}

func do(t *testing.T, request *http.Request) sent {
	t.Helper()
	response, err := http.DefaultClient.Do(request.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return sent{response.StatusCode, response.Header, body}
}

func getJSON(t *testing.T, url string, into any) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer := do(t, request); answer.status != 200 || json.Unmarshal(answer.body, into) != nil {
		t.Fatalf("%s: %d %s", url, answer.status, answer.body)
	}
}

// TestIssuer checks a token as a relying party does, by discovery alone, and what STS refuses.
func TestIssuer(t *testing.T) {
	t.Parallel()
	accounts := localecr.DefaultAccounts()
	accounts[0].Roles = []localecr.Role{
		{Name: "actions", WebIdentity: &localecr.WebIdentity{Issuer: "https://token.actions.githubusercontent.com", Audience: "sts.amazonaws.com"}},
		{Name: "deploy", WebIdentity: &localecr.WebIdentity{Issuer: localecr.LocalIssuer, Audience: "sts.amazonaws.com", Subject: "repo:example/*:ref:?"}},
		{Name: "other", WebIdentity: &localecr.WebIdentity{Issuer: localecr.LocalIssuer, Audience: "other"}},
		{Name: "plain"},
	}
	r := newRig(t, localecr.Options{Accounts: accounts})
	token := idToken(t, r, accounts)

	var discovery struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	getJSON(t, r.srv.URL+"/.well-known/openid-configuration", &discovery)
	if discovery.Issuer != r.srv.URL {
		t.Errorf("issuer is %s", discovery.Issuer)
	}
	var set struct {
		Keys []struct{ Kty, Crv, X, Y, Kid, Alg string }
	}
	getJSON(t, discovery.Keys, &set)
	if len(set.Keys) != 1 || set.Keys[0].Kty != "EC" || set.Keys[0].Crv != "P-256" || set.Keys[0].Alg != "ES256" {
		t.Fatalf("keys are %+v", set)
	}
	decode := func(text string) []byte {
		t.Helper()
		data, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	parts := strings.Split(token.Token, ".")
	signature, sum := decode(parts[2]), sha256.Sum256([]byte(parts[0]+"."+parts[1]))
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, decode(set.Keys[0].X)...), decode(set.Keys[0].Y)...))
	if err != nil {
		t.Fatal(err)
	}
	if len(signature) != 64 || !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		t.Error("the signature is not that of the key")
	}
	var claims map[string]any
	if err := json.Unmarshal(decode(parts[1]), &claims); err != nil || claims["iss"] != discovery.Issuer || claims["sub"] != "repo:example/local:ref:x" {
		t.Errorf("claims are %v, %v", claims, err)
	}

	cfg := r.srv.AWSConfig()
	api := sts.NewFromConfig(cfg)
	assume := func(role, token string) error {
		_, err := api.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
			RoleArn: aws.String("arn:aws:iam::000000000000:role/" + role), RoleSessionName: aws.String("test"), WebIdentityToken: &token,
		})
		return err
	}
	if err := assume("deploy", token.Token); err != nil {
		t.Error(err)
	}
	wantError(t, assume("actions", token.Token), "InvalidIdentityToken", "No OpenIDConnect provider found")
	wantError(t, assume("other", token.Token), "InvalidIdentityToken", "Incorrect token audience")
	wantError(t, assume("plain", token.Token), "AccessDenied", "")
	encode := base64.RawURLEncoding.EncodeToString
	for name, forged := range map[string]string{
		"other claims":   parts[0] + "." + encode([]byte(strings.Replace(string(decode(parts[1])), "local:ref", "admin:ref", 1))) + "." + parts[2],
		"no signature":   parts[0] + "." + parts[1] + "." + encode([]byte("signature")),
		"another key":    encode([]byte(`{"alg":"ES256","kid":"other"}`)) + "." + parts[1] + "." + parts[2],
		"another method": encode([]byte(`{"alg":"RS256","kid":"ecrkit-local"}`)) + "." + parts[1] + "." + parts[2],
	} {
		err := assume("deploy", forged)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantError(t, err, "InvalidIdentityToken", "signature")
	}
	// A token of another issuer is no token of this one, whatever else it has.
	foreign := encode([]byte(`{"alg":"ES256","kid":"1"}`)) + "." + encode([]byte(strings.Replace(string(decode(parts[1])), discovery.Issuer, "https://ci.example", 1))) + "." + parts[2]
	wantError(t, assume("deploy", foreign), "InvalidIdentityToken", "No OpenIDConnect provider found")
}

// TestCredentialsAreGuarded asks for credentials without what it takes.
func TestCredentialsAreGuarded(t *testing.T) {
	t.Parallel()
	r := newRig(t, localecr.Options{})
	set, _, err := localecr.CredentialsEnv(r.srv.Registry, nil, localecr.Container, "")
	if err != nil {
		t.Fatal(err)
	}
	var container, token string
	for _, entry := range set {
		if value, ok := strings.CutPrefix(entry, "AWS_CONTAINER_CREDENTIALS_FULL_URI="); ok {
			container = value
		}
		if value, ok := strings.CutPrefix(entry, "AWS_CONTAINER_AUTHORIZATION_TOKEN="); ok {
			token = value
		}
	}
	const (
		life = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
		role = "/latest/meta-data/iam/security-credentials/ecrkit"
	)
	for _, c := range []struct {
		name, method, url string
		header            map[string]string
		status            int
	}{
		{"no token", "GET", container, nil, 401},
		{"another token", "GET", container, map[string]string{"Authorization": strings.Repeat("0", len(token))}, 401},
		{"the token", "GET", container, map[string]string{"Authorization": token}, 200},
		{"no such role", "GET", container + "x", map[string]string{"Authorization": token}, 404},
		{"an ID token without a token", "POST", r.srv.URL + "/_ecrkit/credentials/web-identity?audience=a&subject=b", nil, 401},
		{"an ID token by GET", "GET", r.srv.URL + "/_ecrkit/credentials/web-identity?audience=a&subject=b", map[string]string{"Authorization": token}, 405},
		{"IMDSv1", "GET", r.srv.URL + role, nil, 401},
		{"a wrong token", "GET", r.srv.URL + role, map[string]string{"X-Aws-Ec2-Metadata-Token": token}, 401},
		{"a session without a lifetime", "PUT", r.srv.URL + "/latest/api/token", nil, 400},
		{"a session of no time", "PUT", r.srv.URL + "/latest/api/token", map[string]string{life: "0"}, 400},
		{"a session that is too long", "PUT", r.srv.URL + "/latest/api/token", map[string]string{life: "21601"}, 400},
		{"through a proxy", "PUT", r.srv.URL + "/latest/api/token", map[string]string{life: "60", "X-Forwarded-For": "192.0.2.1"}, 403},
		{"from a web page", "PUT", r.srv.URL + "/latest/api/token", map[string]string{life: "60", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403},
	} {
		request, err := http.NewRequest(c.method, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range c.header {
			request.Header.Set(name, value)
		}
		if answer := do(t, request); answer.status != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, answer.status, answer.body, c.status)
		}
	}
	start := func() string {
		t.Helper()
		request, err := http.NewRequest("PUT", r.srv.URL+"/latest/api/token", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set(life, "3600")
		return string(do(t, request).body)
	}
	session := start()
	for _, c := range []struct {
		advance, status int
	}{{0, 200}, {3000, 200}, {601, 401}} {
		r.srv.Clock().Advance(time.Duration(c.advance) * time.Second)
		request, err := http.NewRequest("GET", r.srv.URL+role, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Aws-Ec2-Metadata-Token", session)
		if answer := do(t, request); answer.status != c.status {
			t.Errorf("%d s later: %d %s, want %d", c.advance, answer.status, answer.body, c.status)
		}
	}
}
