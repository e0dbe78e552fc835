package auth

import (
	"crypto/sha1"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// fuzzCredentials has a configuration's search for credentials get any answer.
func fuzzCredentials(f *testing.F, config string) {
	home := f.TempDir()
	file := filepath.Join(home, "config")
	sum := sha1.Sum([]byte("x"))
	cache := filepath.Join(home, ".aws", "sso", "cache")
	for _, err := range []error{
		os.WriteFile(file, []byte(config), 0o600), os.MkdirAll(cache, 0o700),
		os.WriteFile(filepath.Join(cache, hex.EncodeToString(sum[:])+".json"), []byte(`{"accessToken":"canary-sso","expiresAt":"2999-01-01T00:00:00Z","region":"us-east-1","startUrl":"x"}`), 0o600),
	} {
		if err != nil {
			f.Fatal(err)
		}
	}
	for key, value := range map[string]string{
		"HOME": home, "USERPROFILE": home, "AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": file + ".none", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_MAX_ATTEMPTS": "1",
		"AWS_ENDPOINT_URL": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_CA_BUNDLE": "",
	} {
		f.Setenv(key, value)
	}
	f.Fuzz(func(t *testing.T, status uint16, body string) {
		asked := 0
		client := sender(func(r *http.Request) (*http.Response, error) {
			asked++
			return &http.Response{StatusCode: 200 + int(status%400), Header: http.Header{"Content-Type": {"application/json"}}, Request: r, Body: io.NopCloser(strings.NewReader(body))}, nil
		})
		cfg, err := AWS{HTTPClient: client}.Config(t.Context(), local)
		if err != nil {
			t.Fatal(err)
		}
		got, err := cfg.Credentials.Retrieve(t.Context())
		if err != nil {
			got = aws.Credentials{}
			_ = Explain(local, err).Error()
		}
		if (err == nil) != got.HasKeys() || asked == 0 {
			t.Errorf("%v after %d requests, with keys: %v", err, asked, got.HasKeys())
		}
	})
}

// FuzzRoleAnswer is about the XML of AWS STS.
func FuzzRoleAnswer(f *testing.F) {
	f.Add(uint16(0), `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser><AssumedRoleId>A:x</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/r/x</Arn></AssumedRoleUser>`+
		`<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	f.Add(uint16(203), `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`)
	f.Add(uint16(0), "")
	fuzzCredentials(f, "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = keys\n[profile keys]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = s\n")
}

// FuzzSSOAnswer is about the JSON of IAM Identity Center.
func FuzzSSOAnswer(f *testing.F) {
	f.Add(uint16(0), `{"roleCredentials":{"accessKeyId":"ASIA","secretAccessKey":"s","sessionToken":"t","expiration":32472144000000}}`)
	f.Add(uint16(201), `{"__type":"UnauthorizedException","message":"Session token not found or invalid"}`)
	f.Add(uint16(0), `{"roleCredentials":{"accessKeyId":"ASIA","sessionToken":"t","expiration":32472144000000}}`)
	f.Add(uint16(0), "null")
	f.Add(uint16(32), `{"roleCredentials":{}}`)
	fuzzCredentials(f, "[default]\nsso_start_url = x\nsso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = r\n")
}

// FuzzOIDCAnswer is about the token of a CI job. What is answered is never part of an error: it could be a token.
func FuzzOIDCAnswer(f *testing.F) {
	f.Add(uint16(0), `{"value":"a.b.c"}`)
	f.Add(uint16(200), `{"message":"no"}`)
	f.Add(uint16(0), `{"value":1}`)
	f.Fuzz(func(t *testing.T, status uint16, body string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://ci.example.com/token?audience=x", nil)
		if err != nil {
			t.Fatal(err)
		}
		token, err := requestToken(sender(func(r *http.Request) (*http.Response, error) {
			code := 200 + int(status%400)
			return &http.Response{StatusCode: code, Status: http.StatusText(code), Request: r, Body: io.NopCloser(strings.NewReader(body))}, nil
		}), request)
		if (err == nil) != (token != "") || err == nil && status%400 != 0 {
			t.Errorf("%q, %v", token, err)
		}
		if err != nil && len(body) > 8 && strings.Contains(err.Error(), body) {
			t.Errorf("the error has the answer: %v", err)
		}
	})
}
