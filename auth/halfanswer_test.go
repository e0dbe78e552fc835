package auth

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHalfAnswers has each service that answers with credentials leave out one half of the key pair, which the AWS SDK takes for
// credentials.
func TestHalfAnswers(t *testing.T) {
	const (
		role = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = keys\n[profile keys]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = s\n"
		web  = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nweb_identity_token_file = TOKEN\n"
		sso  = "[default]\nsso_start_url = x\nsso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = r\n"
		xml  = "<OPERATIONResponse><OPERATIONResult><Credentials>ID<SecretAccessKey>SECRET</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></OPERATIONResult></OPERATIONResponse>"
	)
	assumed := strings.NewReplacer("OPERATION", "AssumeRole", "<SecretAccessKey>SECRET</SecretAccessKey>", "", "ID", "<AccessKeyId>ASIA</AccessKeyId>").Replace(xml)
	identified := strings.NewReplacer("OPERATION", "AssumeRoleWithWebIdentity", "ID", "").Replace(xml)
	for name, test := range map[string]struct {
		config string
		env    map[string]string
		answer string
		want   string // the half that is missing
	}{
		"sso without the secret": {sso, nil, `{"roleCredentials":{"accessKeyId":"ASIA","sessionToken":"t","expiration":32472144000000}}`, "secret access key"},
		"sso without the ID":     {sso, nil, `{"roleCredentials":{"secretAccessKey":"SECRET","sessionToken":"t","expiration":32472144000000}}`, "access key ID"},
		"role":                   {role, nil, assumed, "secret access key"},
		"web identity":           {web, nil, identified, "access key ID"},
		"container": {"", map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/"},
			`{"AccessKeyId":"ASIA","Token":"t","Expiration":"2999-01-01T00:00:00Z"}`, "secret access key"},
		"container without both": {"", map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/"}, `{}`, "access key ID"},
	} {
		t.Run(name, func(t *testing.T) {
			isolate(t)
			home := t.TempDir()
			t.Setenv("HOME", home)
			t.Setenv("USERPROFILE", home)
			for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""} {
				t.Setenv(k, v)
			}
			for k, v := range test.env {
				t.Setenv(k, v)
			}
			token := filepath.Join(home, "token")
			file := filepath.Join(home, "config")
			ssoLogin(t, home)
			for _, err := range []error{
				os.WriteFile(token, []byte("a.b.c"), 0o600),
				os.WriteFile(file, []byte(strings.ReplaceAll(test.config, "TOKEN", token)), 0o600),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("AWS_CONFIG_FILE", file)
			asked := 0
			client := sender(func(r *http.Request) (*http.Response, error) {
				asked++
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r, Body: io.NopCloser(strings.NewReader(test.answer))}, nil
			})
			cfg, err := AWS{HTTPClient: client}.Config(t.Context(), local)
			if err != nil {
				t.Fatal(err)
			}
			got, err := cfg.Credentials.Retrieve(t.Context())
			if !errors.Is(err, ErrNoCredentials) || !strings.Contains(err.Error(), "has no "+test.want) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("%v, want an error about the %s", err, test.want)
			}
			if got.AccessKeyID+got.SecretAccessKey+got.SessionToken != "" || asked == 0 {
				t.Errorf("%+v came along, after %d requests", got, asked)
			}
		})
	}
}
