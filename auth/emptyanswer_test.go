package auth

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// TestAnswersWithoutKeys has each service that hands out credentials answer with empty ones: a request would be signed
// with nothing, and AWS would refuse it for another reason.
func TestAnswersWithoutKeys(t *testing.T) {
	const sts = `<%sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%sResult><AssumedRoleUser><AssumedRoleId>A:x</AssumedRoleId>` +
		`<Arn>arn:aws:sts::123456789012:assumed-role/r/x</Arn></AssumedRoleUser><Credentials><SessionToken>t</SessionToken></Credentials></%sResult></%sResponse>`
	for name, test := range map[string]struct{ answer, config, env string }{
		"sso": {`{"roleCredentials":{"accessKeyId":"ASIA"}}`,
			"[default]\nsso_start_url = x\nsso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = r\n", ""},
		"role": {strings.ReplaceAll(sts, "%s", "AssumeRole"),
			"[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = keys\n[profile keys]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = s\n", ""},
		"web identity": {strings.ReplaceAll(sts, "%s", "AssumeRoleWithWebIdentity"),
			"[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nweb_identity_token_file = TOKEN\n", ""},
		"container": {`{}`, "", "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9/"},
	} {
		t.Run(name, func(t *testing.T) {
			isolate(t)
			home := t.TempDir()
			ssoLogin(t, home)
			token := filepath.Join(home, "token")
			for path, text := range map[string]string{filepath.Join(home, "config"): strings.ReplaceAll(test.config, "TOKEN", token), token: "a.e30.c"} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for key, value := range map[string]string{"HOME": home, "USERPROFILE": home, "AWS_CONFIG_FILE": filepath.Join(home, "config"), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""} {
				t.Setenv(key, value)
			}
			if key, value, ok := strings.Cut(test.env, "="); ok {
				t.Setenv(key, value)
			}
			client := sender(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r, Body: io.NopCloser(strings.NewReader(test.answer))}, nil
			})
			cfg, err := AWS{HTTPClient: client}.Config(t.Context(), local)
			var got aws.Credentials
			if err == nil {
				got, err = cfg.Credentials.Retrieve(t.Context())
			}
			if !errors.Is(err, ErrNoCredentials) || !strings.Contains(err.Error(), "the answer with the credentials has no ") {
				t.Errorf("%v, with keys: %v", err, got.HasKeys())
			}
		})
	}
}
