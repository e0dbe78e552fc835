package identity

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func password(t testing.TB, token string) string {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	password, ok := strings.CutPrefix(string(data), "AWS:")
	if !ok {
		t.Fatalf("the token is not for the user AWS: %q", data)
	}
	return password
}

func TestAuthorizationToken(t *testing.T) {
	ids, _ := clocked(t, testAccounts())
	alice := userPrincipal(t, ids, "AKIAALICE00000000000")
	token, expires := ids.IssueToken(alice, "us-east-1", testNow)
	pass := password(t, token)
	if want := testNow.Add(12 * time.Hour).Truncate(time.Second); !expires.Equal(want) {
		t.Errorf("expires %v, want %v", expires, want)
	}
	if len(pass) < 1000 || len(pass) > 2500 {
		t.Errorf("the password has %d characters", len(pass))
	}
	var shape map[string]any
	data, _ := base64.StdEncoding.DecodeString(pass)
	if err := json.Unmarshal(data, &shape); err != nil || shape["type"] != "DATA_KEY" || shape["expiration"] != float64(expires.Unix()) {
		t.Errorf("the password is not shaped as ECR's: %v, %v", shape, err)
	}
	if bytes.Contains(data, []byte("alice")) {
		t.Error("the password is not opaque")
	}
	if again, _ := ids.IssueToken(alice, "us-east-1", testNow); again == token {
		t.Error("two tokens are the same")
	}

	for name, at := range map[string]time.Time{"at once": testNow, "in the last second": expires.Add(-time.Nanosecond)} {
		if p, err := ids.CheckToken(pass, "us-east-1", at); err != nil || p != alice {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if _, err := ids.CheckToken(pass, "us-east-1", expires); !errors.Is(err, ErrTokenExpired) {
		t.Errorf("after 12 hours: %v", err)
	}
	if _, err := ids.CheckToken(pass, "eu-west-1", testNow); !errors.Is(err, ErrTokenRegion) || !strings.Contains(err.Error(), "issued in us-east-1, this registry is in eu-west-1") {
		t.Errorf("in another region: %v", err)
	}
	restarted, _ := clocked(t, testAccounts())
	if p, err := restarted.CheckToken(pass, "us-east-1", testNow); err != nil || p != alice {
		t.Errorf("after a restart: %v", err)
	}
	if _, err := foreignIdentities(t).CheckToken(pass, "us-east-1", testNow); !errors.Is(err, ErrTokenInvalid) {
		t.Errorf("on another server: %v", err)
	}
	accounts := testAccounts()
	accounts[0].Users = accounts[0].Users[1:]
	without, _ := clocked(t, accounts)
	if _, err := without.CheckToken(pass, "us-east-1", testNow); !errors.Is(err, ErrTokenInvalid) {
		t.Errorf("without its user: %v", err)
	}
}

// A role's session may hold a token too.
func TestAuthorizationTokenOfSession(t *testing.T) {
	ids, _ := clocked(t, testAccounts())
	_, c := ids.startSession("111111111111", Role{Name: "open"}, "ci", time.Hour)
	p, _, err := ids.Resolve(c.AccessKeyID, c.SessionToken)
	if err != nil {
		t.Fatal(err)
	}
	token, _ := ids.IssueToken(p, "us-east-1", testNow)
	if got, err := ids.CheckToken(password(t, token), "us-east-1", testNow); err != nil || got != p {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAlteredTokenIsRefused(t *testing.T) {
	t.Parallel()
	ids, _ := clocked(t, testAccounts())
	token, expires := ids.IssueToken(userPrincipal(t, ids, "AKIAALICE00000000000"), "us-east-1", testNow)
	pass := password(t, token)
	data, _ := base64.StdEncoding.DecodeString(pass)
	for i := range data {
		altered := bytes.Clone(data)
		altered[i] ^= 1
		if _, err := ids.CheckToken(base64.StdEncoding.EncodeToString(altered), "us-east-1", testNow); !errors.Is(err, ErrTokenInvalid) {
			t.Fatalf("byte %d altered: %v", i, err)
		}
	}
	later := strings.Replace(string(data), `"expiration":`, `"expiration":9`, 1)
	for name, altered := range map[string]string{
		"longer life":     base64.StdEncoding.EncodeToString([]byte(later)),
		"further space":   base64.StdEncoding.EncodeToString(append(bytes.Clone(data), ' ')),
		"line break":      pass[:100] + "\n" + pass[100:],
		"cut":             pass[:len(pass)-4],
		"session token":   "AAAA",
		"empty":           "",
		"the whole token": token,
	} {
		if _, err := ids.CheckToken(altered, "us-east-1", testNow); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What is not authentic is invalid, never expired.
	if _, err := ids.CheckToken(base64.StdEncoding.EncodeToString([]byte(later)), "us-east-1", expires); !errors.Is(err, ErrTokenInvalid) {
		t.Error(err)
	}
}

func FuzzCheckToken(f *testing.F) {
	ids, _ := clocked(f, testAccounts())
	token, _ := ids.IssueToken(userPrincipal(f, ids, "AKIAALICE00000000000"), "us-east-1", testNow)
	f.Add(password(f, token))
	f.Add(base64.StdEncoding.EncodeToString([]byte(`{"payload":"AAAA","expiration":-1}`)))
	foreign := foreignIdentities(f)
	f.Fuzz(func(t *testing.T, password string) {
		_, _ = ids.CheckToken(password, "us-east-1", testNow)
		if p, err := foreign.CheckToken(password, "us-east-1", testNow); err == nil {
			t.Fatalf("a made-up token gave %+v", p)
		}
	})
}
