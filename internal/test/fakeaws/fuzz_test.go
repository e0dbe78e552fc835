package fakeaws

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func FuzzReadSecret(f *testing.F) {
	p := NewPrincipals(nil)
	s := NewECR(p)
	encoded := s.mint(caller{principal: "user/A", accessKeyID: "AKIA", region: "us-east-1"}).AuthorizationToken
	secret, err := decode(&encoded)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{secret, secret[1:], "", "bnVsbA", "e30"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, secret string) {
		m, err := ReadSecret(secret)
		if (err == nil) != (m.Principal != "") || Principal(secret) != m.Principal {
			t.Errorf("%+v %v", m, err)
		}
	})
}

func FuzzReadJWT(f *testing.F) {
	for _, seed := range []string{
		JWT(Claims{Subject: "s", ExpiresAt: time.Unix(1_900_000_000, 0)}), "", "..", "bnVsbA.bnVsbA.x", "e30.e30.e30",
		JWT(Claims{Subject: "s", Audience: []string{"a", "b"}, ExpiresAt: time.Unix(1_900_000_000, 0)}),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		c, err := ReadJWT(token)
		if err != nil {
			return
		}
		if c.Subject == "" || len(c.Audience) == 0 {
			t.Fatalf("%+v", c)
		}
		if again, err := ReadJWT(JWT(c)); err != nil || again.principal() != c.principal() || !again.ExpiresAt.Equal(c.ExpiresAt) {
			t.Errorf("%+v, then %+v: %v", c, again, err)
		}
	})
}

// FuzzRequest sends anything to all services.
func FuzzRequest(f *testing.F) {
	authorization := "AWS4-HMAC-SHA256 Credential=AKIAFUZZ000000000000/20260101/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=" + strings.Repeat("0", 64)
	token := JWT(Claims{Subject: "s", ExpiresAt: time.Unix(4_000_000_000, 0)})
	f.Add("POST", "/", awsJSON, targetPrivate+getToken, authorization, "{}")
	f.Add("POST", "/", awsJSON, targetPublic+getToken, authorization, "{}")
	f.Add("POST", "/", "application/x-www-form-urlencoded", "", authorization, "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/X&RoleSessionName=xx")
	f.Add("POST", "/", "application/x-www-form-urlencoded", "", "", "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/X&RoleSessionName=xx&WebIdentityToken="+token)
	f.Add("POST", "/token", "application/json", "", "", `{"clientId":"a","clientSecret":"b","grantType":"refresh_token","refreshToken":"c"}`)
	f.Add("GET", "/federation/credentials?account_id=1&role_name=2", "", "", token, "")
	f.Add("PUT", metadataToken, "", "", "", "")
	f.Add("CONNECT", "example.com:443", "", "", "", "")
	f.Fuzz(func(t *testing.T, method, target, contentType, amzTarget, authorization, body string) {
		r, err := http.NewRequest(method, "http://example.com", strings.NewReader(body))
		if err != nil {
			return
		}
		if u, err := r.URL.Parse(target); err == nil {
			r.URL = u
		}
		for name, value := range map[string]string{
			"Content-Type": contentType, "X-Amz-Target": amzTarget, "Authorization": authorization, "X-Amz-Date": "x",
			"X-Amz-Sso_bearer_token": authorization, "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": authorization,
		} {
			r.Header.Set(name, value)
		}
		w := New(Options{})
		w.Principals.Add("AKIAFUZZ000000000000", "fuzz")
		w.Metadata.SetRole("r")
		w.Container.SetTasks(Task{Principal: "p", Subject: "s"})
		for _, h := range []http.Handler{w.ECR, w.Public, w.Portal, w.Metadata, w.Container, w.Proxy} {
			again := r.Clone(t.Context())
			again.Body = http.NoBody
			if body != "" {
				again.Body = httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)).Body
			}
			recorder := httptest.NewRecorder()
			h.ServeHTTP(recorder, again)
			if recorder.Code < 200 || recorder.Code > 599 {
				t.Errorf("status %d", recorder.Code)
			}
		}
	})
}
