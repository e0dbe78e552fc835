package credhelper

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/internal/settings"
	"github.com/ecrkit/ecrkit/internal/startup"
)

// TestRequestHasEveryVariable works out keys by many ways: no variable is looked
// up that is not part of the name of the request.
func TestRequestHasEveryVariable(t *testing.T) {
	home := t.TempDir()
	config := `[default]
role_arn = arn:aws:iam::123456789012:role/a
source_profile = keys
[profile keys]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = x
[profile environment]
role_arn = arn:aws:iam::123456789012:role/a
credential_source = Environment
[profile ecs]
role_arn = arn:aws:iam::123456789012:role/a
credential_source = EcsContainer
[profile process]
credential_process = true
[profile sso]
sso_session = s
sso_account_id = 123456789012
sso_role_name = r
[sso-session s]
sso_region = us-east-1
sso_start_url = https://example.awsapps.com/start
[profile web]
role_arn = arn:aws:iam::123456789012:role/a
web_identity_token_file = ` + home + `/absent
`
	if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".aws", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := []string{"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=x"}
	looked := make(map[string]bool)
	planned := 0
	for _, variables := range [][]string{
		nil, keys, append(keys, "AWS_SESSION_TOKEN=t"), {"AWS_PROFILE=environment"}, append(keys, "AWS_PROFILE=environment"), {"AWS_PROFILE=ecs"},
		{"AWS_PROFILE=process"}, {"AWS_PROFILE=sso"}, {"AWS_PROFILE=web"}, {"AWS_PROFILE=absent"}, {"AWS_CONFIG_FILE=" + home + "/absent"},
		{"AWS_ROLE_ARN=arn:aws:iam::123456789012:role/a", "AWS_WEB_IDENTITY_TOKEN_FILE=" + home + "/absent", "AWS_CONFIG_FILE=" + home + "/absent"},
		{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/", "AWS_CONFIG_FILE=" + home + "/absent"},
	} {
		variables = append(variables, "HOME="+home, "USERPROFILE="+home)
		lookup := startup.EnvironmentOf(variables)
		env := startup.Environment(func(key string) (string, bool) {
			looked[key] = true
			return lookup(key)
		})
		s, err := settings.Load(env)
		if err != nil {
			t.Fatal(err)
		}
		startup.CacheDir(env)
		for _, host := range []string{"123456789012.dkr.ecr.us-east-1.amazonaws.com", "public.ecr.aws", "example.com"} {
			r, err := s.Registries.Parse(host)
			if err != nil {
				continue
			}
			if _, err := s.Tokens(env, slog.New(slog.DiscardHandler)).Minter.AWS.Plan(t.Context(), r); err == nil {
				planned++
			}
		}
	}
	if planned < 10 || len(looked) < 20 {
		t.Fatalf("only %d plans and %d variables: this test sees too little", planned, len(looked))
	}
	for key := range looked {
		if startup.Request("host", []string{key + "=a"}) == startup.Request("host", []string{key + "=b"}) {
			t.Errorf("%s is not part of the request", key)
		}
	}
}
