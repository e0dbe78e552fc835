package auth

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

// TestSTSEndpoint assumes a role in each way at an endpoint that is set, whatever is said of FIPS and
// dual-stack endpoints: the SDK refuses the two together, and has no AWS_ENDPOINT_URL for the role of a profile.
func TestSTSEndpoint(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/push"
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	profiles := write("config", "[profile keys]\naws_access_key_id = AKIAKEYS\naws_secret_access_key = s\n"+
		"[profile role]\nrole_arn = "+role+"\nsource_profile = keys\n"+
		"[profile fips]\nrole_arn = "+role+"\nsource_profile = keys\nuse_fips_endpoint = true\n")
	token := write("token", "canary-jwt")
	ways := map[string]struct {
		env   []string
		rules []Rule
		want  string
	}{
		"profile":      {[]string{"AWS_PROFILE=role"}, nil, "sts AssumeRole "},
		"FIPS profile": {[]string{"AWS_PROFILE=fips"}, nil, "sts AssumeRole "},
		"rule":         {[]string{"AWS_ACCESS_KEY_ID=AKIAKEYS", "AWS_SECRET_ACCESS_KEY=s"}, []Rule{{Host: local.Host, RoleARN: role}}, "sts AssumeRole "},
		"web identity": {[]string{"AWS_ROLE_ARN=" + role, "AWS_WEB_IDENTITY_TOKEN_FILE=" + token}, nil, "sts AssumeRoleWithWebIdentity "},
		"OIDC":         {[]string{OIDCRoleVariable + "=" + role, OIDCTokenVariable + "=canary-jwt"}, nil, "sts AssumeRoleWithWebIdentity "},
	}
	settings := map[string]func(url string) []string{
		"STS's":     func(url string) []string { return []string{"AWS_ENDPOINT_URL_STS=" + url} },
		"all, FIPS": func(url string) []string { return []string{"AWS_ENDPOINT_URL=" + url, "AWS_USE_FIPS_ENDPOINT=true"} },
		"STS's, FIPS": func(url string) []string {
			return []string{"AWS_ENDPOINT_URL_STS=" + url, "AWS_USE_FIPS_ENDPOINT=true"}
		},
		"STS's, dual-stack": func(url string) []string {
			return []string{"AWS_ENDPOINT_URL_STS=" + url, "AWS_USE_DUALSTACK_ENDPOINT=true"}
		},
	}
	for way, as := range ways {
		for name, setting := range settings {
			t.Run(way+"/"+name, func(t *testing.T) {
				w := newOIDCWorld(t)
				server := httptest.NewServer(w)
				defer server.Close()
				for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_STS"} {
					os.Unsetenv(key)
				}
				t.Setenv("AWS_ROLE_ARN", "")
				t.Setenv("AWS_CONFIG_FILE", profiles)
				for _, set := range append(setting(server.URL), as.env...) {
					key, value, _ := strings.Cut(set, "=")
					t.Setenv(key, value)
				}
				tokens := &Tokens{Store: &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "cache")}}
				tokens.Minter.AWS.Registries = Registries{Rules: as.rules}
				if _, err := tokens.Token(t.Context(), local); err != nil {
					t.Fatal(err)
				}
				if got := w.took(); !strings.HasPrefix(got, as.want+role) || !strings.HasSuffix(got, "\necr ASIAOIDC") {
					t.Errorf("the calls were\n%s", got)
				}
			})
		}
	}
}
