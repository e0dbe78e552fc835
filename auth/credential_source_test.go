package auth

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// sharedConfig has a profile for each way of obtaining credentials.
const sharedConfig = `
[default]
region = eu-west-1
[profile keys]
aws_access_key_id = AKIAKEYS
aws_secret_access_key = secret
[profile other-keys]
aws_access_key_id = AKIAOTHER
aws_secret_access_key = secret
[profile role-x]
role_arn = arn:aws:iam::123456789012:role/X
source_profile = keys
[profile role-x-again]
role_arn = arn:aws:iam::123456789012:role/X
source_profile = keys
duration_seconds = 1800
region = ap-south-1
[profile role-y]
role_arn = arn:aws:iam::123456789012:role/Y
source_profile = keys
[profile role-x-from-other]
role_arn = arn:aws:iam::123456789012:role/X
source_profile = other-keys
[profile role-x-external]
role_arn = arn:aws:iam::123456789012:role/X
external_id = 1
source_profile = keys
[profile role-x-session]
role_arn = arn:aws:iam::123456789012:role/X
role_session_name = me
source_profile = keys
[profile two-hops]
role_arn = arn:aws:iam::123456789012:role/Z
source_profile = role-x
[profile itself]
role_arn = arn:aws:iam::123456789012:role/X
source_profile = itself
aws_access_key_id = AKIAKEYS
aws_secret_access_key = secret
[profile from-environment]
role_arn = arn:aws:iam::123456789012:role/X
credential_source = Environment
[profile from-instance]
role_arn = arn:aws:iam::123456789012:role/X
credential_source = Ec2InstanceMetadata
[profile from-container]
role_arn = arn:aws:iam::123456789012:role/X
credential_source = EcsContainer
[profile web]
role_arn = arn:aws:iam::123456789012:role/X
web_identity_token_file = TOKEN1
[profile web-sub2]
role_arn = arn:aws:iam::123456789012:role/X
web_identity_token_file = TOKEN2
[profile role-over-web]
role_arn = arn:aws:iam::123456789012:role/Y
source_profile = web
[sso-session corp]
sso_start_url = https://corp.example.com/start
sso_region = us-east-1
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Admin
[profile sso-reader]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Reader
[profile role-over-sso]
role_arn = arn:aws:iam::123456789012:role/Y
source_profile = sso
[profile sso-legacy]
sso_start_url = https://old.example.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = Admin
[profile login]
login_session = arn:aws:iam::123456789012:user/me
[profile process]
credential_process = /bin/true
[profile role-over-process]
role_arn = arn:aws:iam::123456789012:role/X
source_profile = process
`

// Tokens of two subjects of one issuer.
const (
	jwtSub1 = "e30.eyJpc3MiOiJpIiwic3ViIjoic3ViMSIsImF1ZCI6WyJzdHMiXX0.x" // {"iss":"i","sub":"sub1","aud":["sts"]}
	jwtSub2 = "e30.eyJpc3MiOiJpIiwic3ViIjoic3ViMiIsImF1ZCI6WyJzdHMiXX0.x"
)

// awsHome makes a home directory with all profiles, and logs in to SSO.
func awsHome(t *testing.T) string {
	t.Helper()
	isolate(t)
	home := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := strings.NewReplacer("TOKEN1", write("token1", jwtSub1), "TOKEN2", write("token2", jwtSub2)).Replace(sharedConfig)
	t.Setenv("AWS_CONFIG_FILE", write("config", text))
	const sso = `{"accessToken":"canary-sso","expiresAt":"2030-01-01T00:00:00Z","region":"us-east-1","startUrl":"x"}`
	write(".aws/sso/cache/"+sha1Hex("corp")+".json", sso)
	write(".aws/sso/cache/"+sha1Hex("https://old.example.com/start")+".json", sso)
	write(".aws/login/cache/"+hash("arn:aws:iam::123456789012:user/me")+".json", "{}")
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	return home
}

// fixtures are environments, each of which is another principal.
var fixtures = []struct {
	name string
	env  []string // KEY=VALUE
	kind SourceKind
	same string // the fixture whose principal it shares, if any
}{
	{"environment keys", []string{"AWS_ACCESS_KEY_ID=AKIAENV", "AWS_SECRET_ACCESS_KEY=s"}, KindStatic, ""},
	{"environment keys over a profile", []string{"AWS_ACCESS_KEY_ID=AKIAENV", "AWS_SECRET_ACCESS_KEY=s", "AWS_PROFILE=role-x"}, KindStatic, "environment keys"},
	{"keys", []string{"AWS_PROFILE=keys"}, KindStatic, ""},
	{"other-keys", []string{"AWS_DEFAULT_PROFILE=other-keys"}, KindStatic, ""},
	{"role-x", []string{"AWS_PROFILE=role-x"}, KindAssumeRole, ""},
	{"role-x-again", []string{"AWS_PROFILE=role-x-again"}, KindAssumeRole, "role-x"},
	{"itself", []string{"AWS_PROFILE=itself"}, KindAssumeRole, "role-x"},
	{"role-y", []string{"AWS_PROFILE=role-y"}, KindAssumeRole, ""},
	{"role-x-from-other", []string{"AWS_PROFILE=role-x-from-other"}, KindAssumeRole, ""},
	{"role-x-external", []string{"AWS_PROFILE=role-x-external"}, KindAssumeRole, ""},
	{"role-x-session", []string{"AWS_PROFILE=role-x-session"}, KindAssumeRole, ""},
	{"two-hops", []string{"AWS_PROFILE=two-hops"}, KindAssumeRole, ""},
	{"role-x at another STS", []string{"AWS_PROFILE=role-x", "AWS_ENDPOINT_URL_STS=http://127.0.0.1:1"}, KindAssumeRole, ""},
	{"from-instance", []string{"AWS_PROFILE=from-instance"}, KindAssumeRole, ""},
	{"from-container", []string{"AWS_PROFILE=from-container", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/task/1"}, KindAssumeRole, ""},
	{"web", []string{"AWS_PROFILE=web"}, KindWebIdentity, ""},
	{"web-sub2", []string{"AWS_PROFILE=web-sub2"}, KindWebIdentity, ""},
	{"role-over-web", []string{"AWS_PROFILE=role-over-web"}, KindAssumeRole, ""},
	{"web in the environment", []string{"AWS_WEB_IDENTITY_TOKEN_FILE=HOME/token1", "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/X", "AWS_PROFILE=role-y"}, KindWebIdentity, "web"},
	{"sso", []string{"AWS_PROFILE=sso"}, KindSSO, ""},
	{"sso-reader", []string{"AWS_PROFILE=sso-reader"}, KindSSO, ""},
	{"role-over-sso", []string{"AWS_PROFILE=role-over-sso"}, KindAssumeRole, ""},
	{"sso-legacy", []string{"AWS_PROFILE=sso-legacy"}, KindSSO, ""},
	{"login", []string{"AWS_PROFILE=login"}, KindLogin, ""},
	{"process", []string{"AWS_PROFILE=process"}, KindProcess, ""},
	{"role-over-process", []string{"AWS_PROFILE=role-over-process"}, KindAssumeRole, ""},
	{"task 1", []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/task/1"}, KindECS, ""},
	{"task 2", []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/task/2"}, KindECS, ""},
	{"pod identity", []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=HOME/token1"}, KindPodIdentity, ""},
	{"pod identity 2", []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=HOME/token2"}, KindPodIdentity, ""},
	{"credentials server", []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9/"}, KindHTTP, ""},
	{"instance", nil, KindIMDS, ""},
}

// TestCredentialSourceIsTheSDKs compares the credential source of each fixture with what the SDK
// would do: where it takes credentials from, and from which settings.
func TestCredentialSourceIsTheSDKs(t *testing.T) {
	digests := map[string]string{} // by fixture
	for _, tt := range fixtures {
		t.Run(tt.name, func(t *testing.T) {
			home := awsHome(t)
			for _, entry := range tt.env {
				key, value, _ := strings.Cut(entry, "=")
				t.Setenv(key, strings.Replace(value, "HOME", home, 1))
			}
			a := AWS{}
			plan, err := a.Plan(t.Context(), local)
			if err != nil {
				t.Fatal(err)
			}
			if plan.Source.Kind != tt.kind {
				t.Errorf("kind %q, want %q", plan.Source.Kind, tt.kind)
			}
			cfg, drift, err := a.configure(t.Context(), plan)
			if err != nil {
				t.Fatal(err)
			}
			sources := cfg.Credentials.(*aws.CredentialsCache).ProviderSources()
			if drift || !slices.Equal(sources, plan.Source.ProviderSources()) {
				t.Errorf("drift %v: the SDK's sources %v, ours %v", drift, sources, plan.Source.ProviderSources())
			}
			// The credential source has no secret in what it shows.
			if shown := strings.Join(plan.Source.Steps, " "); strings.Contains(shown, "AKIA") || strings.Contains(shown, "canary") {
				t.Errorf("shown: %s", shown)
			}
			// Home is another directory in each run: it must not matter.
			digest := plan.Key().String()
			for other, d := range digests {
				if (d == digest) != (other == tt.same) {
					t.Errorf("same key as %q: %v", other, d == digest)
				}
			}
			if tt.same == "" {
				digests[tt.name] = digest
			}
		})
	}
}

// TestEveryCredentialSource fails if the SDK has learned of a source of
// credentials of which our credential sources know nothing: look at it, then name it here.
func TestEveryCredentialSource(t *testing.T) {
	known := []string{"Undefined", "Code", "EnvVars", "EnvVarsSTSWebIDToken", "STSAssumeRole", "STSAssumeRoleSaml", "STSAssumeRoleWebID",
		"STSFederationToken", "STSSessionToken", "Profile", "ProfileSourceProfile", "ProfileNamedProvider", "ProfileSTSWebIDToken", "ProfileSSO",
		"SSO", "ProfileSSOLegacy", "SSOLegacy", "ProfileProcess", "Process", "HTTP", "IMDS", "ProfileLogin", "Login"}
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/aws").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "credentials.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for _, name := range spec.Names {
				if source, ok := strings.CutPrefix(name.Name, "CredentialSource"); ok {
					seen = append(seen, source)
				}
			}
		}
		return true
	})
	if !slices.Equal(seen, known) {
		t.Errorf("the SDK's sources are\n%q, known are\n%q", seen, known)
	}
}

// TestEnvironmentIsTheSDKs compares our reading of the environment with the SDK's.
func TestEnvironmentIsTheSDKs(t *testing.T) {
	isolate(t)
	for key, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_ACCESS_KEY": "AKIAOLD", "AWS_SECRET_ACCESS_KEY": "", "AWS_SECRET_KEY": "s", "AWS_SESSION_TOKEN": "t",
		"AWS_PROFILE": "", "AWS_DEFAULT_PROFILE": "p", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "u", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "r",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN": "c", "AWS_WEB_IDENTITY_TOKEN_FILE": "w", "AWS_ROLE_ARN": "a", "AWS_ROLE_SESSION_NAME": "n",
		"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://e", "AWS_ENDPOINT_URL": "http://g", "AWS_USE_FIPS_ENDPOINT": "TRUE", "AWS_USE_DUALSTACK_ENDPOINT": "false",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ACCOUNT_ID": "123456789012", "AWS_EC2_METADATA_DISABLED": "", "AWS_MAX_ATTEMPTS": "",
	} {
		t.Setenv(key, value)
	}
	want, err := config.NewEnvConfig()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Environment(nil).sdk()
	if err != nil {
		t.Fatal(err)
	}
	pairs := [][2]any{
		{got.Credentials.AccessKeyID, want.Credentials.AccessKeyID}, {got.Credentials.SessionToken, want.Credentials.SessionToken},
		{got.Credentials.AccountID, want.Credentials.AccountID}, {got.SharedConfigProfile, want.SharedConfigProfile},
		{got.ContainerCredentialsEndpoint, want.ContainerCredentialsEndpoint}, {got.ContainerCredentialsRelativePath, want.ContainerCredentialsRelativePath},
		{got.ContainerAuthorizationToken, want.ContainerAuthorizationToken}, {got.WebIdentityTokenFilePath, want.WebIdentityTokenFilePath},
		{got.RoleARN, want.RoleARN}, {got.RoleSessionName, want.RoleSessionName}, {got.EC2IMDSEndpoint, want.EC2IMDSEndpoint},
		{got.BaseEndpoint, want.BaseEndpoint}, {got.UseFIPSEndpoint, want.UseFIPSEndpoint}, {got.UseDualStackEndpoint, want.UseDualStackEndpoint},
		{*got.IgnoreConfiguredEndpoints, *want.IgnoreConfiguredEndpoints}, {got.SharedConfigFile, want.SharedConfigFile}, {got.SharedCredentialsFile, want.SharedCredentialsFile},
	}
	for i, pair := range pairs {
		if pair[0] != pair[1] {
			t.Errorf("field %d: ours %v, the SDK's %v", i, pair[0], pair[1])
		}
	}
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "perhaps")
	if _, err := Environment(nil).sdk(); err == nil {
		t.Error("AWS_USE_FIPS_ENDPOINT=perhaps: no error")
	}
}

func TestNoCredentialSource(t *testing.T) {
	home := awsHome(t)
	tests := []struct {
		name string
		env  []string
		want string
	}{
		{"no such profile", []string{"AWS_PROFILE=absent"}, "absent; check AWS_PROFILE"},
		{"logged out", []string{"AWS_PROFILE=sso"}, "nobody is logged in"},
		{"logged out, which command", []string{"AWS_PROFILE=sso"}, "run `aws sso login --profile sso`"},
		{"no token file", []string{"AWS_WEB_IDENTITY_TOKEN_FILE=/absent", "AWS_ROLE_ARN=arn:aws:iam::1:role/x"}, "check AWS_WEB_IDENTITY_TOKEN_FILE"},
		{"no role", []string{"AWS_WEB_IDENTITY_TOKEN_FILE=/absent"}, "set AWS_ROLE_ARN"},
		{"no container", []string{"AWS_PROFILE=from-container"}, "outside of a container"},
		{"no environment", []string{"AWS_PROFILE=from-environment"}, "AWS_ACCESS_KEY_ID is not set"},
	}
	if err := os.RemoveAll(filepath.Join(home, ".aws", "sso")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, entry := range tt.env {
				key, value, _ := strings.Cut(entry, "=")
				t.Setenv(key, value)
			}
			_, err := AWS{}.Plan(t.Context(), local)
			if !errors.Is(err, ErrNoCredentials) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func FuzzParseJWT(f *testing.F) {
	f.Add(jwtSub1)
	f.Add("a.b.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := parseJWT(s)
		if ok && (c.Subject == "" || c.Issuer == "") {
			t.Fatalf("%q: %+v", s, c)
		}
	})
}

func FuzzSharedConfig(f *testing.F) {
	f.Add(sharedConfig, "role-x")
	f.Add("[default]\n", "default")
	path := filepath.Join(f.TempDir(), "config")
	f.Fuzz(func(t *testing.T, text, profile string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		env := map[string]string{"AWS_CONFIG_FILE": path, "AWS_SHARED_CREDENTIALS_FILE": path + ".none", "AWS_PROFILE": profile, "HOME": path}
		a := AWS{Env: func(key string) (string, bool) { value, ok := env[key]; return value, ok }}
		plan, err := a.Plan(t.Context(), local)
		if err == nil && (plan.Source.Kind == "" || len(plan.Source.material) == 0) {
			t.Fatalf("no credential source and no error for profile %q of %q", profile, text)
		}
	})
}

func sha1Hex(s string) string {
	sum := sha1.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
