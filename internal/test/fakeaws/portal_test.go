package fakeaws

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	ssotypes "github.com/aws/aws-sdk-go-v2/service/sso/types"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	oidctypes "github.com/aws/aws-sdk-go-v2/service/ssooidc/types"
)

const ssoConfig = `[default]
sso_session = corp
sso_account_id = 1234
sso_role_name = Admin
[sso-session corp]
sso_region = us-east-1
sso_start_url = ` + StartURL + "\n"

func TestLoginAndLogout(t *testing.T) {
	w, home := visit(t, Options{})
	if err := WriteConfig(home, ssoConfig); err != nil {
		t.Fatal(err)
	}
	if _, err := private(t.Context(), once); err == nil {
		t.Error("credentials before the login")
	}
	w.Portal.SetUser("user1", Assignment{"1234", "Admin"}, Assignment{"5678", "Reader"})
	w.Portal.SetUser("user2", Assignment{"1234", "Admin"})
	for _, user := range []string{"user1", "user2"} {
		access := must[string](t)(w.Portal.Login(home, Login{User: user, Session: "corp"}))
		if readAccessToken(CachePath(home, "corp")) != access {
			t.Error("Login returns another token than it has written")
		}
		if got := Principal(must[string](t)(private(t.Context()))); got != "sso/1234/Admin/"+user {
			t.Error(got)
		}
	}
	path := CachePath(home, "corp")
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	kept := filepath.Join(filepath.Dir(path), "botocore-client-id-us-east-1.json")
	if err := os.WriteFile(kept, []byte(`{"clientId":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Portal.Logout(home); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the logout: %v", err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
	if err := w.Portal.Logout(home); err != nil {
		t.Errorf("second logout: %v", err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var unauthorized *ssotypes.UnauthorizedException
	if _, err := private(t.Context(), once); !errors.As(err, &unauthorized) {
		t.Errorf("a token that was logged out: %v", err)
	}
}

func TestCacheFile(t *testing.T) {
	s, home := NewPortal(NewPrincipals(nil)), t.TempDir()
	must[string](t)(s.Login(home, Login{User: "u", Renewed: time.Hour}))
	raw, err := os.ReadFile(CachePath(home, StartURL))
	var file map[string]string
	if err != nil || json.Unmarshal(raw, &file) != nil {
		t.Fatal(err)
	}
	for _, member := range []string{"startUrl", "region", "accessToken", "expiresAt", "refreshToken", "clientId", "clientSecret", "registrationExpiresAt"} {
		if file[member] == "" {
			t.Errorf("%s is missing", member)
		}
	}
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	if want, err := ssocreds.StandardCachedTokenFilepath("corp"); err != nil || CachePath(home, "corp") != want {
		t.Errorf("%s is not %s, the SDK's path: %v", CachePath(home, "corp"), want, err)
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Login(blocked, Login{User: "u"}); err == nil {
		t.Error("a login below a file")
	}
}

// TestRefresh has an access token that has expired, and a refresh token that gives another.
func TestRefresh(t *testing.T) {
	w, home := visit(t, Options{})
	if err := WriteConfig(home, ssoConfig); err != nil {
		t.Fatal(err)
	}
	w.Portal.SetUser("user1", Assignment{"1234", "Admin"})
	old := must[string](t)(w.Portal.Login(home, Login{User: "user1", Session: "corp", Lifetime: -time.Hour, Renewed: time.Hour}))
	for range 2 {
		if got := Principal(must[string](t)(private(t.Context()))); got != "sso/1234/Admin/user1" {
			t.Error(got)
		}
	}
	if calls := w.Portal.Calls(); !equal(calls, map[string]int{"CreateToken": 1, "GetRoleCredentials": 2}) {
		t.Errorf("%v", calls)
	}
	if readAccessToken(CachePath(home, "corp")) == old {
		t.Error("the access token is the old one")
	}
	must[string](t)(w.Portal.Login(home, Login{User: "user1", Session: "corp", Lifetime: -time.Hour}))
	if _, err := private(t.Context(), once); err == nil {
		t.Error("a login without a refresh token was renewed")
	}
}

func TestGetRoleCredentials(t *testing.T) {
	clock := clockAt(0)
	w, _ := visit(t, Options{Now: clock.now})
	w.Portal.SetUser("u", Assignment{"1234", "Admin"})
	token := w.Portal.AccessToken("u", time.Hour)
	cfg := must[aws.Config](t)(load(t.Context(), once))
	get := func(token, account, role string) error {
		_, err := sso.NewFromConfig(cfg).GetRoleCredentials(t.Context(), &sso.GetRoleCredentialsInput{AccessToken: &token, AccountId: &account, RoleName: &role})
		return err
	}
	var unauthorized *ssotypes.UnauthorizedException
	if err := get(token, "1234", "Admin"); err != nil {
		t.Error(err)
	}
	if err := get("unknown", "1234", "Admin"); !errors.As(err, &unauthorized) {
		t.Errorf("unknown token: %v", err)
	}
	for _, wrong := range []Assignment{{"1234", "Reader"}, {"5678", "Admin"}} {
		if err := get(token, wrong.Account, wrong.Role); code(err) != "ForbiddenException" {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	clock.set(2 * time.Hour)
	if err := get(token, "1234", "Admin"); !errors.As(err, &unauthorized) {
		t.Errorf("expired token: %v", err)
	}
	var invalid *ssotypes.InvalidRequestException
	if err := get(token, "", ""); !errors.As(err, &invalid) {
		t.Errorf("no account: %v", err)
	}
	if _, err := sso.NewFromConfig(cfg).ListAccounts(t.Context(), &sso.ListAccountsInput{AccessToken: &token}); code(err) != "UnknownOperationException" {
		t.Errorf("another operation: %v", err)
	}
}

func TestCreateToken(t *testing.T) {
	for _, keep := range []bool{false, true} {
		w, home := visit(t, Options{})
		w.Portal.KeepRefreshTokens = keep
		must[string](t)(w.Portal.Login(home, Login{User: "u", Session: "corp", Renewed: time.Hour}))
		raw, err := os.ReadFile(CachePath(home, "corp"))
		var file cacheFile
		if err != nil || json.Unmarshal(raw, &file) != nil {
			t.Fatal(err)
		}
		client := ssooidc.NewFromConfig(must[aws.Config](t)(load(t.Context(), once)))
		create := func(id, secret, grant, refresh string) (*ssooidc.CreateTokenOutput, error) {
			return client.CreateToken(t.Context(), &ssooidc.CreateTokenInput{ClientId: &id, ClientSecret: &secret, GrantType: &grant, RefreshToken: &refresh})
		}
		var invalidClient *oidctypes.InvalidClientException
		if _, err := create("x", file.ClientSecret, "refresh_token", file.RefreshToken); !errors.As(err, &invalidClient) {
			t.Errorf("unknown client: %v", err)
		}
		if _, err := create(file.ClientID, "x", "refresh_token", file.RefreshToken); !errors.As(err, &invalidClient) {
			t.Errorf("wrong secret: %v", err)
		}
		var unsupported *oidctypes.UnsupportedGrantTypeException
		if _, err := create(file.ClientID, file.ClientSecret, "authorization_code", ""); !errors.As(err, &unsupported) {
			t.Errorf("another grant: %v", err)
		}
		var invalidRequest *oidctypes.InvalidRequestException
		if _, err := create(file.ClientID, file.ClientSecret, "", ""); !errors.As(err, &invalidRequest) {
			t.Errorf("no grant: %v", err)
		}
		out := must[*ssooidc.CreateTokenOutput](t)(create(file.ClientID, file.ClientSecret, "refresh_token", file.RefreshToken))
		if out.ExpiresIn != 3600 || aws.ToString(out.RefreshToken) == file.RefreshToken || aws.ToString(out.AccessToken) == file.AccessToken {
			t.Error("the answer has not new tokens for an hour")
		}
		var invalidGrant *oidctypes.InvalidGrantException
		_, err = create(file.ClientID, file.ClientSecret, "refresh_token", file.RefreshToken)
		if used := errors.As(err, &invalidGrant); used == keep {
			t.Errorf("the second use of a refresh token, keep %v: %v", keep, err)
		}
	}
}
