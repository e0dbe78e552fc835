package identity

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	testNow   = time.Date(2026, 11, 22, 1, 2, 3, 500, time.UTC)
	serverKey = bytes.Repeat([]byte{7}, 32)
)

// testAccounts are two accounts with roles of every kind.
func testAccounts() []Account {
	return []Account{
		{ID: "111111111111",
			Users: []User{{Name: "alice", AccessKeyID: "AKIAALICE00000000000", SecretAccessKey: "alice-secret"}, {Name: "bob", AccessKeyID: "AKIABOB0000000000000", SecretAccessKey: "bob-secret"}},
			Roles: []Role{
				{Name: "open"},
				{Name: "external", ExternalID: "ticket-7"},
				{Name: "onlybob", TrustedPrincipals: []string{"arn:aws:iam::111111111111:user/bob"}},
				{Name: "chained", TrustedPrincipals: []string{"arn:aws:iam::111111111111:role/open"}},
				{Name: "onesession", TrustedPrincipals: []string{"arn:aws:sts::111111111111:assumed-role/open/ci"}},
				{Name: "web", WebIdentity: &WebIdentity{Issuer: "https://token.example", Audience: "sts.amazonaws.com", Subject: "repo:acme/*:ref:refs/heads/main"}},
			}},
		{ID: "222222222222",
			Users: []User{{Name: "carol", AccessKeyID: "AKIACAROL00000000000", SecretAccessKey: "carol-secret"}},
			Roles: []Role{
				{Name: "closed"},
				{Name: "byid", TrustedPrincipals: []string{"111111111111"}},
				{Name: "byroot", TrustedPrincipals: []string{"arn:aws:iam::111111111111:root"}},
			}},
	}
}

// clocked gives identities with a clock that the test moves.
func clocked(t testing.TB, accounts []Account) (*Identities, *time.Time) {
	t.Helper()
	now := testNow
	ids, err := New(accounts, serverKey, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return ids, &now
}

func userPrincipal(t testing.TB, ids *Identities, key string) Principal {
	t.Helper()
	p, _, err := ids.Resolve(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestResolve(t *testing.T) {
	ids, now := clocked(t, testAccounts())
	alice := userPrincipal(t, ids, "AKIAALICE00000000000")
	result, err := ids.AssumeRole(alice, "arn:aws:iam::111111111111:role/open", "ci", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	c := result.Credentials
	if !regexp.MustCompile(`^ASIA[A-Z2-7]{16}$`).MatchString(c.AccessKeyID) || len(c.SecretAccessKey) != 40 {
		t.Errorf("temporary keys do not look like them: %q and a secret of %d characters", c.AccessKeyID, len(c.SecretAccessKey))
	}
	other, _ := ids.AssumeRole(alice, "arn:aws:iam::111111111111:role/open", "ci", "", 0)

	t.Run("temporary keys", func(t *testing.T) {
		p, secret, err := ids.Resolve(c.AccessKeyID, c.SessionToken)
		if err != nil || secret != c.SecretAccessKey {
			t.Fatal(err)
		}
		want := Principal{ARN: "arn:aws:sts::111111111111:assumed-role/open/ci", Account: "111111111111", UserID: result.AssumedRoleUser.AssumedRoleID, Type: AssumedRole}
		if p != want {
			t.Errorf("got %+v, want %+v", p, want)
		}
	})
	t.Run("survive a restart with the same server key only", func(t *testing.T) {
		again, _ := clocked(t, testAccounts())
		if _, secret, err := again.Resolve(c.AccessKeyID, c.SessionToken); err != nil || secret != c.SecretAccessKey {
			t.Error(err)
		}
		if _, _, err := foreignIdentities(t).Resolve(c.AccessKeyID, c.SessionToken); !errors.Is(err, ErrInvalidToken) {
			t.Error(err)
		}
	})
	t.Run("the role is gone", func(t *testing.T) {
		accounts := testAccounts()
		accounts[0].Roles = accounts[0].Roles[1:]
		without, _ := clocked(t, accounts)
		if _, _, err := without.Resolve(c.AccessKeyID, c.SessionToken); !errors.Is(err, ErrInvalidToken) {
			t.Error(err)
		}
	})

	altered := []byte(c.SessionToken)
	altered[len(altered)/2] ^= 1
	refused := []struct {
		name, key, token string
		want             error
	}{
		{"unknown key", "AKIANOBODY0000000000", "", ErrUnknownKey},
		{"empty key", "", "", ErrUnknownKey},
		{"long-term key with a token", "AKIAALICE00000000000", c.SessionToken, ErrInvalidToken},
		{"temporary key without its token", c.AccessKeyID, "", ErrInvalidToken},
		{"token of another key", c.AccessKeyID, other.Credentials.SessionToken, ErrInvalidToken},
		{"made-up temporary key", "ASIAAAAAAAAAAAAAAAAA", c.SessionToken, ErrInvalidToken},
		{"altered token", c.AccessKeyID, string(altered), ErrInvalidToken},
		{"shortened token", c.AccessKeyID, c.SessionToken[:len(c.SessionToken)-4], ErrInvalidToken},
		{"junk", c.AccessKeyID, "%%%", ErrInvalidToken},
	}
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			p, secret, err := ids.Resolve(tt.key, tt.token)
			if !errors.Is(err, tt.want) || p != (Principal{}) || secret != "" {
				t.Errorf("got %v, %+v", err, p)
			}
		})
	}

	*now = c.Expiration.Add(-time.Second)
	if _, _, err := ids.Resolve(c.AccessKeyID, c.SessionToken); err != nil {
		t.Error(err)
	}
	*now = c.Expiration
	if _, _, err := ids.Resolve(c.AccessKeyID, c.SessionToken); !errors.Is(err, ErrExpiredToken) {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	user := func(u User) []Account { return []Account{{ID: "111111111111", Users: []User{u}}} }
	role := func(r Role) []Account { return []Account{{ID: "111111111111", Roles: []Role{r}}} }
	tests := []struct {
		name     string
		accounts []Account
		want     string // in the error, "" for none
	}{
		{"all kinds", testAccounts(), ""},
		{"none", nil, "at least one"},
		{"short id", []Account{{ID: "123"}}, "12 digits"},
		{"letters in the id", []Account{{ID: "12345678901x"}}, "12 digits"},
		{"account twice", []Account{{ID: "111111111111"}, {ID: "111111111111"}}, "twice"},
		{"no user name", user(User{Name: "", AccessKeyID: "AKIAALICE00000000000", SecretAccessKey: "s"}), "the name"},
		{"slash in a user name", user(User{Name: "a/b", AccessKeyID: "AKIAALICE00000000000", SecretAccessKey: "s"}), "the name"},
		{"short key", user(User{Name: "a", AccessKeyID: "AKIA", SecretAccessKey: "s"}), "access_key_id"},
		{"temporary key", user(User{Name: "a", AccessKeyID: "ASIAALICE00000000000", SecretAccessKey: "s"}), "temporary"},
		{"no secret", user(User{Name: "a", AccessKeyID: "AKIAALICE00000000000", SecretAccessKey: ""}), "secret_access_key"},
		{"policy without a resource", user(User{Name: "a", AccessKeyID: "AKIAALICE00000000000", SecretAccessKey: "s", Policies: []string{`{"Statement":{"Effect":"Allow","Action":"*"}}`}}), `user "a", policy 1`},
		{"user twice", []Account{{ID: "111111111111", Users: []User{{Name: "a", AccessKeyID: "AKIAALICE00000000000", SecretAccessKey: "s"}, {Name: "a", AccessKeyID: "AKIABOB0000000000000", SecretAccessKey: "s"}}}}, "twice"},
		{"key twice", []Account{{ID: "111111111111", Users: []User{{Name: "a", AccessKeyID: "AKIAALICE00000000000", SecretAccessKey: "s"}}}, {ID: "222222222222", Users: []User{{Name: "b", AccessKeyID: "AKIAALICE00000000000", SecretAccessKey: "s"}}}}, "unique"},
		{"role name", role(Role{Name: "a b"}), "the name"},
		{"role twice", []Account{{ID: "111111111111", Roles: []Role{{Name: "a"}, {Name: "a"}}}}, "twice"},
		{"external id", role(Role{Name: "a", ExternalID: "x"}), "external_id"},
		{"trusted principal", role(Role{Name: "a", TrustedPrincipals: []string{"*"}}), "trusted principal"},
		{"audience", role(Role{Name: "a", WebIdentity: &WebIdentity{}}), "audience"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.accounts, serverKey, time.Now)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "AKIAALICE") {
				t.Errorf("the error repeats an access key ID: %v", err)
			}
		})
	}
	if _, err := New(testAccounts(), serverKey[:31], time.Now); err == nil {
		t.Error("a short server key was taken")
	}
}

func FuzzResolve(f *testing.F) {
	ids, _ := clocked(f, testAccounts())
	_, c := ids.startSession("111111111111", Role{Name: "open"}, "ci", time.Hour)
	f.Add(c.AccessKeyID, c.SessionToken)
	f.Add("ASIA", "")
	f.Add("AKIAALICE00000000000", base64.StdEncoding.EncodeToString(make([]byte, 28)))
	foreign := foreignIdentities(f)
	f.Fuzz(func(t *testing.T, key, token string) {
		_, _, _ = ids.Resolve(key, token)
		if p, _, err := foreign.Resolve(key, token); err == nil && p.Type == AssumedRole {
			t.Fatalf("a made-up token gave %+v", p)
		}
	})
}

// foreignIdentities have a key of their own, so that no token is theirs.
func foreignIdentities(t testing.TB) *Identities {
	t.Helper()
	ids, err := New(testAccounts(), []byte(rand.Text()+rand.Text()), func() time.Time { return testNow })
	if err != nil {
		t.Fatal(err)
	}
	return ids
}
