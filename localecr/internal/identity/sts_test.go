package identity

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// jwt is a token with these claims and a signature that nobody checks.
func jwt(claims map[string]any) string {
	return rawJWT(map[string]any{"alg": "RS256", "kid": "1"}, claims)
}

func rawJWT(header, claims any) string {
	encode := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	return encode(header) + "." + encode(claims) + ".c2lnbmF0dXJl"
}

func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	var e *Error
	if code == "" {
		if err != nil {
			t.Fatal(err)
		}
	} else if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, text) {
		t.Fatalf("got %v, want %s: …%s…", err, code, text)
	}
}

func TestAssumeRole(t *testing.T) {
	ids, _ := clocked(t, testAccounts())
	alice, bob := userPrincipal(t, ids, "AKIAALICE00000000000"), userPrincipal(t, ids, "AKIABOB0000000000000")
	session := func(role, name string) Principal {
		return Principal{ARN: "arn:aws:sts::111111111111:assumed-role/" + role + "/" + name, Account: "111111111111", Type: AssumedRole}
	}
	const role1, role2 = "arn:aws:iam::111111111111:role/", "arn:aws:iam::222222222222:role/"
	const denied = "User: arn:aws:iam::111111111111:user/alice is not authorized to perform: sts:AssumeRole on resource: "
	tests := []struct {
		name       string
		as         Principal
		role       string
		session    string
		externalID string
		duration   time.Duration
		code, text string
	}{
		{"same account", alice, role1 + "open", "ci", "", 0, "", ""},
		{"no such role", alice, role1 + "none", "ci", "", 0, "AccessDenied", denied + role1 + "none"},
		{"no such account", alice, "arn:aws:iam::333333333333:role/open", "ci", "", 0, "AccessDenied", denied},
		{"other account", alice, role2 + "closed", "ci", "", 0, "AccessDenied", denied},
		{"account trusted by id", alice, role2 + "byid", "ci", "", 0, "", ""},
		{"account trusted by root", bob, role2 + "byroot", "ci", "", 0, "", ""},
		{"user trusted", bob, role1 + "onlybob", "ci", "", 0, "", ""},
		{"user not trusted", alice, role1 + "onlybob", "ci", "", 0, "AccessDenied", denied},
		{"role trusted", session("open", "x1"), role1 + "chained", "ci", "", time.Hour, "", ""},
		{"role not trusted", session("external", "x1"), role1 + "chained", "ci", "", 0, "AccessDenied", "assumed-role/external/x1 is not"},
		{"role name is no prefix", session("open2", "x1"), role1 + "chained", "ci", "", 0, "AccessDenied", ""},
		{"session trusted", session("open", "ci"), role1 + "onesession", "ci", "", 0, "", ""},
		{"session not trusted", session("open", "ci2"), role1 + "onesession", "ci", "", 0, "AccessDenied", ""},
		{"chained for two hours", session("open", "x1"), role1 + "chained", "ci", "", 2 * time.Hour, "ValidationError", "1 hour session limit"},
		{"external id", alice, role1 + "external", "ci", "ticket-7", 0, "", ""},
		{"external id missing", alice, role1 + "external", "ci", "", 0, "AccessDenied", denied},
		{"external id wrong", alice, role1 + "external", "ci", "ticket-8", 0, "AccessDenied", denied},
		{"external id invalid", alice, role1 + "external", "ci", "a b", 0, "ValidationError", "externalId"},
		{"external id not asked for", alice, role1 + "open", "ci", "ticket-7", 0, "", ""},
		{"shortest", alice, role1 + "open", "ci", "", 900 * time.Second, "", ""},
		{"too short", alice, role1 + "open", "ci", "", 899 * time.Second, "ValidationError", "Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"},
		{"longest", alice, role1 + "open", "ci", "", 12 * time.Hour, "", ""},
		{"too long", alice, role1 + "open", "ci", "", 43201 * time.Second, "ValidationError", "less than or equal to 43200"},
		{"negative", alice, role1 + "open", "ci", "", -time.Second, "ValidationError", "greater"},
		{"short session name", alice, role1 + "open", "c", "", 0, "ValidationError", "roleSessionName"},
		{"long session name", alice, role1 + "open", strings.Repeat("c", 65), "", 0, "ValidationError", "roleSessionName"},
		{"session name with a slash", alice, role1 + "open", "a/b", "", 0, "ValidationError", "pattern"},
		{"not an ARN", alice, "open", "ci", "", 0, "ValidationError", "open is invalid"},
		{"short ARN", alice, "arn:aws", "ci", "", 0, "ValidationError", "roleArn"},
		{"long ARN", alice, role1 + strings.Repeat("x", 2048), "ci", "", 0, "ValidationError", "roleArn"},
		{"another kind of ARN", alice, "arn:aws:iam::111111111111:user/alice", "ci", "", 0, "AccessDenied", denied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result, err := ids.AssumeRole(tt.as, tt.role, tt.session, tt.externalID, tt.duration)
			wantCode(t, err, tt.code, tt.text)
			if err != nil {
				return
			}
			life := tt.duration
			if life == 0 {
				life = time.Hour
			}
			if got := result.Credentials.Expiration; !got.Equal(testNow.Truncate(time.Second).Add(life)) {
				t.Errorf("expires %v", got)
			}
			p, _, err := ids.Resolve(result.Credentials.AccessKeyID, result.Credentials.SessionToken)
			if err != nil || p.ARN != result.AssumedRoleUser.Arn || GetCallerIdentity(p).UserID != result.AssumedRoleUser.AssumedRoleID {
				t.Errorf("the keys give %+v, %v", p, err)
			}
		})
	}
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	ids, now := clocked(t, testAccounts())
	const role = "arn:aws:iam::111111111111:role/web"
	exp := testNow.Unix() + 60
	claims := func(change ...any) map[string]any {
		c := map[string]any{"iss": "https://token.example", "aud": "sts.amazonaws.com", "sub": "repo:acme/app:ref:refs/heads/main", "exp": exp}
		for i := 0; i < len(change); i += 2 {
			if name := change[i].(string); change[i+1] == nil {
				delete(c, name)
			} else {
				c[name] = change[i+1]
			}
		}
		return c
	}
	good := jwt(claims())
	tests := []struct {
		name, role, token, code, text string
	}{
		{"good", role, good, "", ""},
		{"several audiences", role, jwt(claims("aud", []string{"other", "sts.amazonaws.com"})), "", ""},
		{"already valid", role, jwt(claims("nbf", testNow.Unix())), "", ""},
		{"no such role", role + "x", good, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"role without web identity", "arn:aws:iam::111111111111:role/open", good, "AccessDenied", "Not authorized"},
		{"issuer", role, jwt(claims("iss", "https://other.example")), "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://other.example"},
		{"audience", role, jwt(claims("aud", "other")), "InvalidIdentityToken", "Incorrect token audience"},
		{"subject", role, jwt(claims("sub", "repo:acme/app:ref:refs/heads/dev")), "AccessDenied", "Not authorized"},
		{"expired", role, jwt(claims("exp", testNow.Unix())), "ExpiredTokenException", "Token expired: current date/time"},
		{"not yet", role, jwt(claims("nbf", testNow.Unix()+1)), "InvalidIdentityToken", "not valid yet"},
		{"no exp", role, jwt(claims("exp", nil)), "InvalidIdentityToken", "Missing a required claim: exp"},
		{"no sub", role, jwt(claims("sub", nil)), "InvalidIdentityToken", "Missing a required claim: sub"},
		{"no aud", role, jwt(claims("aud", nil)), "InvalidIdentityToken", "Missing a required claim: aud"},
		{"aud in capitals", role, jwt(claims("aud", nil, "AUD", "sts.amazonaws.com")), "InvalidIdentityToken", "Missing a required claim: aud"},
		{"no iss", role, jwt(claims("iss", nil)), "InvalidIdentityToken", "Missing a required claim: iss"},
		{"exp with a fraction", role, jwt(claims("exp", 1.5)), "InvalidIdentityToken", "not a valid JWT"},
		{"aud a number", role, jwt(claims("aud", 1)), "InvalidIdentityToken", "not a valid JWT"},
		{"unsigned", role, rawJWT(map[string]any{"alg": "none"}, claims()), "InvalidIdentityToken", "algorithm"},
		{"no signature", role, good[:strings.LastIndex(good, ".")+1], "InvalidIdentityToken", "not a valid JWT"},
		{"opaque access token", role, "ya29.abc", "InvalidIdentityToken", "not a valid JWT"},
		{"bad base64", role, "%%.%%.%%", "InvalidIdentityToken", "not a valid JWT"},
		{"claims are no object", role, rawJWT(map[string]any{"alg": "RS256"}, "x"), "InvalidIdentityToken", "not a valid JWT"},
		{"empty", role, "", "InvalidIdentityToken", "not a valid JWT"},
		{"too long", role, strings.Repeat("x", 20001), "ValidationError", "webIdentityToken"},
		{"bad role", "web", good, "ValidationError", "web is invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result, err := ids.AssumeRoleWithWebIdentity(tt.role, "job", tt.token, "", 0)
			wantCode(t, err, tt.code, tt.text)
			if err != nil {
				return
			}
			if result.SubjectFromWebIdentityToken != "repo:acme/app:ref:refs/heads/main" || result.Audience != "sts.amazonaws.com" || result.Provider != "https://token.example" {
				t.Errorf("got %+v", result)
			}
			if p, _, err := ids.Resolve(result.Credentials.AccessKeyID, result.Credentials.SessionToken); err != nil || p.ARN != "arn:aws:sts::111111111111:assumed-role/web/job" {
				t.Errorf("the keys give %+v, %v", p, err)
			}
		})
	}
	*now = now.Add(time.Hour)
	_, err := ids.AssumeRoleWithWebIdentity(role, "job", good, "", 0)
	wantCode(t, err, "ExpiredTokenException", "must be before")
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{"": time.Hour, "900": 15 * time.Minute, "43200": 12 * time.Hour} {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for in, code := range map[string]string{"0": "ValidationError", "-1": "ValidationError", "43201": "ValidationError", "1h": "MalformedInput", "99999999999": "MalformedInput"} {
		_, err := ParseDuration(in)
		wantCode(t, err, code, "")
	}
}

func TestLike(t *testing.T) {
	tests := []struct {
		pattern, s string
		want       bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"a", "ab", false}, {"", "", true}, {"", "a", false},
		{"*", "", true}, {"*", "a/b:c", true}, {"a*", "a", true}, {"a*c", "abbc", true}, {"a*c", "abcd", false},
		{"*a*b", "xaxbxb", true}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"**", "x", true}, {"[a]", "a", false}, {"a*?", "a", false},
		{strings.Repeat("*a", 50) + "b", strings.Repeat("a", 5000), false},
	}
	for _, tt := range tests {
		if like(tt.pattern, tt.s) != tt.want {
			t.Errorf("%.20q on %.20q: want %v", tt.pattern, tt.s, tt.want)
		}
	}
}

func FuzzParseJWT(f *testing.F) {
	f.Add(jwt(map[string]any{"iss": "i", "sub": "s", "aud": []string{"a"}, "exp": 1}))
	f.Add(jwt(map[string]any{"aud": nil, "exp": "1", "nbf": map[string]any{}}))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := parseJWT(token)
		if (claims == nil) == (err == nil) {
			t.Fatalf("%v with %v", claims, err)
		}
		if err == nil {
			// Must not panic, whatever the claims are.
			_ = claims.checkTime(testNow)
			_ = claims.check(WebIdentity{Audience: "a", Subject: "*s"})
		}
	})
}
