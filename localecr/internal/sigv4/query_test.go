package sigv4

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

var testCredentials = aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}

func get(t testing.TB, rawURL string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("GET", rawURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func verifyQuery(r *http.Request) error {
	req, err := ParseQuery(r)
	if err != nil {
		return err
	}
	return req.Verify(testSecret, req.PayloadHash)
}

func TestPresignAndParseQuery(t *testing.T) {
	paths := []string{"/bucket/sha256:abc", "/a%20b/%C3%A9/c%2Fd//e=f&g+h", "/", "", "/x?versionId=1&a=+b%20c&a=%2F&a=-"}
	for _, path := range paths {
		for _, token := range []string{"", "a/b+c=="} {
			creds := testCredentials
			creds.SessionToken = token
			signed, err := Presign(context.Background(), "GET", "http://127.0.0.1:4511"+path, creds, "eu-west-1", testTime, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			r := received(t, get(t, signed))
			req, err := ParseQuery(r)
			if err != nil {
				t.Fatalf("%s: %v", signed, err)
			}
			if err := req.Verify(testSecret, req.PayloadHash); err != nil {
				t.Errorf("%s: %v", signed, err)
			}
			if req.AccessKeyID != testKey || req.Region != "eu-west-1" || req.Service != "s3" || req.SessionToken != token ||
				req.Expires != time.Hour || !req.Time.Equal(testTime) || req.PayloadHash != UnsignedPayload {
				t.Errorf("got %+v", req)
			}
		}
	}
}

// What the SDK itself signs, without Presign's stricter path.
func TestParseQueryAgainstSDK(t *testing.T) {
	for _, path := range []string{"/a:b+c=d", "/%41%2F", "/x?b=1&a=a-b&a=a%2Fb"} {
		r := get(t, "https://bucket.s3.example:443"+path)
		r.Header.Set("X-Amz-Meta-A", " x  y ")
		query := r.URL.Query()
		query.Set("X-Amz-Expires", "60")
		r.URL.RawQuery = query.Encode()
		signed, header, err := v4.NewSigner().PresignHTTP(context.Background(), testCredentials, r, UnsignedPayload, "s3", "us-east-1", testTime,
			func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err != nil {
			t.Fatal(err)
		}
		sent := get(t, signed)
		for name, values := range header {
			if name == "Host" {
				sent.Host = values[0]
			} else {
				sent.Header[name] = values
			}
		}
		if err := verifyQuery(received(t, sent)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Pre-signed by botocore 1.43.11.
func TestParseQueryOfBotocore(t *testing.T) {
	for _, signed := range []string{
		"http://127.0.0.1:4511/bucket/a%20b/sha256%3Aabc?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261122%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20261122T010203Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature=99ba1abda5bfb056b5d1d25dd8d61114da0d58ebca1766106df02d3023f9738d",
		"http://127.0.0.1:4511/bucket/a%20b/sha256%3Aabc?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261122%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20261122T010203Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Security-Token=tok%2Fen%2B1%3D%3D&X-Amz-Signature=31b387ebbca5a59608e2d31bc5edddff2ad3f6a12162d7e41aed432e9fea3ba9",
	} {
		if err := verifyQuery(received(t, get(t, signed))); err != nil {
			t.Error(err)
		}
	}
}

func TestAlteredQueryIsRefused(t *testing.T) {
	signed, err := Presign(context.Background(), "GET", "http://127.0.0.1:4511/bucket/key?v=1", testCredentials, "us-east-1", testTime, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			query := r.URL.Query()
			query.Set(name, value)
			if value == "" {
				query.Del(name)
			}
			r.URL.RawQuery = query.Encode()
		}
	}
	tests := []struct {
		name   string
		change func(*http.Request)
		kind   error
	}{
		{"nothing", func(*http.Request) {}, nil},
		{"order of parameters", func(r *http.Request) { r.URL.RawQuery = r.URL.Query().Encode() }, nil},
		{"method", func(r *http.Request) { r.Method = "HEAD" }, ErrSignatureMismatch},
		{"path", func(r *http.Request) { r.URL.Path = "/bucket/kex" }, ErrSignatureMismatch},
		{"host", func(r *http.Request) { r.Host = "127.0.0.1:4512" }, ErrSignatureMismatch},
		{"own parameter", set("v", "2"), ErrSignatureMismatch},
		{"lifetime", set("X-Amz-Expires", "3601"), ErrSignatureMismatch},
		{"date", set("X-Amz-Date", "20261122T010204Z"), ErrSignatureMismatch},
		{"other day", set("X-Amz-Date", "20261123T010203Z"), ErrSignatureMismatch},
		{"region", set("X-Amz-Credential", testKey+"/20261122/us-east-2/s3/aws4_request"), ErrSignatureMismatch},
		{"key", set("X-Amz-Credential", testKey+"X/20261122/us-east-1/s3/aws4_request"), ErrSignatureMismatch},
		{"token added", set("X-Amz-Security-Token", "x"), ErrSignatureMismatch},
		{"signature", set("X-Amz-Signature", strings.Repeat("0", 64)), ErrSignatureMismatch},
		{"header not signed", func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public") }, ErrSignatureMismatch},
		{"signed headers", set("X-Amz-SignedHeaders", "host;range"), ErrSignatureMismatch},
		{"host not signed", set("X-Amz-SignedHeaders", "range"), ErrSignatureMismatch},
		{"line break in a name", set("X-Amz-SignedHeaders", "host\nx"), ErrIncomplete},
		{"service", set("X-Amz-Credential", testKey+"/20261122/us-east-1/ecr/aws4_request"), ErrIncomplete},
		{"algorithm", set("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"), ErrIncomplete},
		{"no credential", set("X-Amz-Credential", ""), ErrIncomplete},
		{"no date", set("X-Amz-Date", ""), ErrIncomplete},
		{"no lifetime", set("X-Amz-Expires", ""), ErrIncomplete},
		{"no signed headers", set("X-Amz-SignedHeaders", ""), ErrIncomplete},
		{"no signature", set("X-Amz-Signature", ""), ErrIncomplete},
		{"lifetime 0", set("X-Amz-Expires", "0"), ErrIncomplete},
		{"lifetime above a week", set("X-Amz-Expires", "604801"), ErrIncomplete},
		{"lifetime no number", set("X-Amz-Expires", "1h"), ErrIncomplete},
		{"bad date", set("X-Amz-Date", "yesterday"), ErrIncomplete},
		{"two dates", func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Date=20261122T010203Z" }, ErrIncomplete},
		{"bad encoding", func(r *http.Request) { r.URL.RawQuery += "&a=%zz" }, ErrIncomplete},
		{"unsigned", func(r *http.Request) { r.URL.RawQuery = "v=1" }, ErrMissingAuthentication},
		{"authorization header", func(r *http.Request) { r.Header.Set("Authorization", "Basic x") }, ErrTwoMechanisms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := get(t, signed)
			tt.change(r)
			if err := verifyQuery(r); !errors.Is(err, tt.kind) {
				t.Fatalf("got %v, want %v", err, tt.kind)
			}
		})
	}
}

func TestCheckExpiry(t *testing.T) {
	req := &Request{Time: testTime, Expires: time.Minute}
	for offset, ok := range map[time.Duration]bool{
		0: true, 59 * time.Second: true, time.Minute: false, time.Hour: false, -maxAhead: true, -maxAhead - time.Second: false,
	} {
		if err := req.CheckExpiry(testTime.Add(offset)); (err == nil) != ok || (err != nil && !errors.Is(err, ErrTimeSkew)) {
			t.Errorf("%v: %v", offset, err)
		}
	}
}

func TestPresignRefuses(t *testing.T) {
	for _, tt := range []struct {
		url     string
		expires time.Duration
	}{{"http://h/", 0}, {"http://h/", MaxExpires + 1}, {"/relative", time.Hour}, {"http://h/%zz", time.Hour}} {
		if got, err := Presign(context.Background(), "GET", tt.url, testCredentials, "r", testTime, tt.expires); err == nil {
			t.Errorf("%+v gave %s", tt, got)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	signed, err := Presign(context.Background(), "GET", "http://h/b/k", testCredentials, "us-east-1", testTime, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	_, query, _ := strings.Cut(signed, "?")
	f.Add(query)
	f.Add(url.Values{"X-Amz-Algorithm": {algorithm}, "X-Amz-Expires": {"-1"}}.Encode())
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "http://h/b/k", nil)
		r.URL.RawQuery = query
		req, err := ParseQuery(r)
		if (req == nil) == (err == nil) {
			t.Fatalf("%v with %v", req, err)
		}
		if req != nil && req.Verify("not the secret", UnsignedPayload) == nil {
			t.Fatal("a made-up signature verifies")
		}
	})
}
