package sigv4

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// The example key pair of AWS's own signature test suite.
const (
	testKey    = "AKIDEXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var testTime = time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// received sends r to a real server and returns the request as that saw it.
func received(t *testing.T, r *http.Request) *http.Request {
	t.Helper()
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		got = r
	}))
	defer server.Close()
	// Signed for the host in the URL, sent to the test server.
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	r.URL.Scheme, r.URL.Host = "http", server.Listener.Addr().String()
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return got
}

// parsed fails the test if the header is not understood.
func parsed(t *testing.T, r *http.Request) *Request {
	t.Helper()
	req, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestAgainstSDKHeader(t *testing.T) {
	tests := []struct {
		name, method, url, body, token, service string
		header                                  http.Header
		chunked                                 bool
	}{
		{name: "JSON API", method: "POST", url: "http://127.0.0.1:4510/", body: `{"a":1}`, service: "ecr", header: http.Header{
			"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AmazonEC2ContainerRegistry_V20150921.ListImages"},
			"Amz-Sdk-Request": {"attempt=1; max=3"}, "User-Agent": {"aws-sdk-go-v2/1"}}},
		{name: "session token", method: "POST", url: "http://127.0.0.1:4510/", body: "{}", token: "a/b+c==", service: "ecr"},
		{name: "default port", method: "GET", url: "http://ecr.example:80/", service: "ecr"},
		{name: "length not signed", method: "POST", url: "http://127.0.0.1/", body: "{}", chunked: true, service: "ecr"},
		{name: "odd path", method: "GET", url: "http://host/a%20b/%C3%A9/c%2Fd//e=f&g+h:i~", service: "ecr"},
		{name: "odd path of S3", method: "GET", url: "http://host/a%20b/%C3%A9/c%2Fd//e%3Af~", service: "s3"},
		{name: "query order", method: "GET", url: "http://host/?b=2&a=a-b&a=a%2Fb&a=+x%20y&%C3%A9=1&c&d=&A=~", service: "ecr"},
		{name: "header spaces and repetition", method: "GET", url: "http://host/", service: "ecr",
			header: http.Header{"X-Amz-Meta-A": {"  a   b ", "c"}, "My-Header": {"x", "y  z"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var body io.Reader = strings.NewReader(tt.body)
			if tt.chunked {
				body = io.MultiReader(body)
			}
			r, err := http.NewRequest(tt.method, tt.url, body)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range tt.header {
				r.Header[k] = v
			}
			creds := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret, SessionToken: tt.token}
			err = v4.NewSigner().SignHTTP(context.Background(), creds, r, hash([]byte(tt.body)), tt.service, "eu-west-1", testTime,
				func(o *v4.SignerOptions) { o.DisableURIPathEscaping = tt.service == "s3" })
			if err != nil {
				t.Fatal(err)
			}
			req := parsed(t, received(t, r))
			if err := req.Verify(testSecret, hash([]byte(tt.body))); err != nil {
				t.Error(err)
			}
			if req.AccessKeyID != testKey || req.Region != "eu-west-1" || req.Service != tt.service || !req.Time.Equal(testTime) || req.SessionToken != tt.token || req.PayloadHash != "" {
				t.Errorf("got %+v", req)
			}
			if err := req.Verify(testSecret+"x", hash([]byte(tt.body))); !errors.Is(err, ErrSignatureMismatch) {
				t.Errorf("wrong secret: %v", err)
			}
			if err := req.Verify(testSecret, hash([]byte("other"))); !errors.Is(err, ErrSignatureMismatch) {
				t.Errorf("wrong body: %v", err)
			}
		})
	}
}

// Vectors that this package's author did not compute: AWS's signature test
// suite (get-vanilla) and requests signed by botocore 1.43.11.
func TestVectors(t *testing.T) {
	raw := func(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }
	tests := []struct{ name, request, body string }{
		{"get-vanilla", raw("GET / HTTP/1.1", "Host: example.amazonaws.com", "X-Amz-Date: 20150830T123600Z",
			"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"), ""},
		{"botocore POST", raw("POST / HTTP/1.1", "Host: 127.0.0.1:4510", "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRepositories",
			"Content-Type: application/x-amz-json-1.1", "User-Agent: aws-cli/2  x", "X-Amz-Date: 20261122T010203Z", "Content-Length: 2",
			"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/ecr/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=9e7a783fc65b797baeafd4f799fc271c2ecd142edb69e227dec748c166fa9fba"), "{}"},
		{"botocore with token", raw("POST / HTTP/1.1", "Host: 127.0.0.1:4510", "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRepositories",
			"Content-Type: application/x-amz-json-1.1", "X-Amz-Date: 20261122T010203Z", "X-Amz-Security-Token: tok/en+1==",
			"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/ecr/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=2c195e315f06b9772c3c904bac2f8c3b8a5989558da4523e05f9e948210ff9fa"), "{}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(tt.request)))
			if err != nil {
				t.Fatal(err)
			}
			if err := parsed(t, r).Verify(testSecret, hash([]byte(tt.body))); err != nil {
				t.Error(err)
			}
		})
	}
}

// signedPost is a request as an SDK sends it to the API.
func signedPost(t testing.TB) *http.Request {
	t.Helper()
	r := httptest.NewRequest("POST", "http://127.0.0.1:4510/some/path?x=1", bytes.NewReader([]byte("{}")))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.ListImages")
	creds := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret, SessionToken: "token"}
	if err := v4.NewSigner().SignHTTP(context.Background(), creds, r, hash([]byte("{}")), "ecr", "us-east-1", testTime); err != nil {
		t.Fatal(err)
	}
	return r
}

func replaceAuth(r *http.Request, from, to string) {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
}

func TestAlteredRequestIsRefused(t *testing.T) {
	alter := map[string]func(*http.Request){
		"nothing":            func(r *http.Request) {},
		"method":             func(r *http.Request) { r.Method = "PUT" },
		"path":               func(r *http.Request) { r.URL.Path = "/some/patH" },
		"query value":        func(r *http.Request) { r.URL.RawQuery = "x=2" },
		"query added":        func(r *http.Request) { r.URL.RawQuery += "&y=1" },
		"host":               func(r *http.Request) { r.Host = "127.0.0.1:4511" },
		"target":             func(r *http.Request) { r.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.ListImageS") },
		"content type":       func(r *http.Request) { r.Header.Set("Content-Type", "application/x-amz-json-1.0") },
		"session token":      func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "tokeN") },
		"content length":     func(r *http.Request) { r.ContentLength = 3 },
		"date":               func(r *http.Request) { r.Header.Set("X-Amz-Date", "20261122T010204Z") },
		"unsigned x-amz":     func(r *http.Request) { r.Header.Set("X-Amz-New", "1") },
		"second target":      func(r *http.Request) { r.Header.Add("X-Amz-Target", "other") },
		"region":             func(r *http.Request) { replaceAuth(r, "us-east-1", "us-east-2") },
		"service":            func(r *http.Request) { replaceAuth(r, "/ecr/", "/sts/") },
		"scope date":         func(r *http.Request) { replaceAuth(r, "/20261122/", "/20261123/") },
		"signed headers cut": func(r *http.Request) { replaceAuth(r, "content-length;", "") },
		"content type not signed": func(r *http.Request) {
			replaceAuth(r, "content-type;", "")
		},
		"host not signed": func(r *http.Request) { replaceAuth(r, "host;", "") },
		"signature": func(r *http.Request) {
			auth := r.Header.Get("Authorization")
			last := auth[len(auth)-1] ^ 1
			r.Header.Set("Authorization", auth[:len(auth)-1]+string(last))
		},
		"signature cut": func(r *http.Request) {
			auth := r.Header.Get("Authorization")
			r.Header.Set("Authorization", auth[:len(auth)-1])
		},
	}
	for name, change := range alter {
		t.Run(name, func(t *testing.T) {
			r := signedPost(t)
			change(r)
			req, err := Parse(r)
			if err == nil {
				err = req.Verify(testSecret, hash([]byte("{}")))
			}
			if name == "nothing" {
				if err != nil {
					t.Fatal(err)
				}
			} else if !errors.Is(err, ErrSignatureMismatch) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestIncompleteHeader(t *testing.T) {
	tests := []struct {
		name   string
		change func(*http.Request)
		kind   error
		text   string
	}{
		{"none", func(r *http.Request) { r.Header.Del("Authorization") }, ErrMissingAuthentication, "Missing Authentication Token"},
		{"bearer", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, ErrMissingAuthentication, "Missing Authentication Token"},
		{"other algorithm", func(r *http.Request) { replaceAuth(r, "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512") }, ErrIncomplete, "Unsupported AWS 'algorithm'"},
		{"only the algorithm", func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256") }, ErrIncomplete, "key=value"},
		{"two headers", func(r *http.Request) { r.Header.Add("Authorization", "x") }, ErrIncomplete, "'Authorization' is given more than once"},
		{"no credential", func(r *http.Request) { replaceAuth(r, "Credential=", "Credentials=") }, ErrIncomplete, "'Credential'"},
		{"no signed headers", func(r *http.Request) { replaceAuth(r, "SignedHeaders=", "x=") }, ErrIncomplete, "'SignedHeaders'"},
		{"no signature", func(r *http.Request) { replaceAuth(r, "Signature=", "x=") }, ErrIncomplete, "'Signature'"},
		{"given twice", func(r *http.Request) { replaceAuth(r, "Signature=", "Signature=a, Signature=") }, ErrIncomplete, "given twice"},
		{"further parameter", func(r *http.Request) { replaceAuth(r, "Signature=", "x=a, Signature=") }, ErrIncomplete, "besides"},
		{"short credential", func(r *http.Request) { replaceAuth(r, "/aws4_request", "") }, ErrIncomplete, "slash-delimited"},
		{"empty region", func(r *http.Request) { replaceAuth(r, "/us-east-1/", "//") }, ErrIncomplete, "region"},
		{"terminator", func(r *http.Request) { replaceAuth(r, "aws4_request", "aws5_request") }, ErrIncomplete, "aws4_request"},
		{"no date", func(r *http.Request) { r.Header.Del("X-Amz-Date") }, ErrIncomplete, "'X-Amz-Date'"},
		{"bad date", func(r *http.Request) { r.Header.Set("X-Amz-Date", "2026-11-22") }, ErrIncomplete, "ISO-8601"},
		{"two dates", func(r *http.Request) { r.Header.Add("X-Amz-Date", "20261122T010203Z") }, ErrIncomplete, "X-Amz-Date"},
		{"unsorted headers", func(r *http.Request) { replaceAuth(r, "content-length;content-type", "content-type;content-length") }, ErrIncomplete, "sorted"},
		{"upper-case header", func(r *http.Request) { replaceAuth(r, "host;", "Host;") }, ErrIncomplete, "lower-case"},
		{"bad query", func(r *http.Request) { r.URL.RawQuery = "x=%zz" }, ErrIncomplete, "query string"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := signedPost(t)
			tt.change(r)
			req, err := Parse(r)
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("got %v, want a text with %q", err, tt.text)
			}
			if req != nil {
				t.Error("a request came with the error")
			}
		})
	}
}

func TestDateHeader(t *testing.T) {
	sign := func(signedHeaders string) (*Request, error) {
		r := httptest.NewRequest("GET", "http://host/", nil)
		r.Header.Set("Date", testTime.Format(http.TimeFormat))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+testKey+"/20261122/r/ecr/aws4_request,SignedHeaders="+signedHeaders+",Signature=0")
		return Parse(r)
	}
	req, err := sign("date;host")
	if err != nil || !req.Time.Equal(testTime) {
		t.Fatalf("got %+v, %v", req, err)
	}
	if _, err := sign("host"); !errors.Is(err, ErrSignatureMismatch) {
		t.Fatalf("the date that is used must be signed, got %v", err)
	}
}

func TestCheckTime(t *testing.T) {
	now := time.Date(2018, 6, 13, 11, 56, 38, 0, time.UTC)
	const skew = 5 * time.Minute
	for _, ok := range []time.Duration{0, skew, -skew} {
		if err := CheckTime(now.Add(ok), now, skew); err != nil {
			t.Errorf("%v: %v", ok, err)
		}
	}
	old := CheckTime(time.Date(2018, 6, 13, 10, 30, 29, 0, time.UTC), now, skew)
	if want := "Signature expired: 20180613T103029Z is now earlier than 20180613T115138Z (20180613T115638Z - 5 min.)"; !errors.Is(old, ErrTimeSkew) || old.Error() != want {
		t.Errorf("got %v", old)
	}
	ahead := CheckTime(now.Add(skew+time.Second), now, skew)
	if want := "Signature not yet current: 20180613T120139Z is still later than 20180613T120138Z (20180613T115638Z + 5 min.)"; !errors.Is(ahead, ErrTimeSkew) || ahead.Error() != want {
		t.Errorf("got %v", ahead)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(signedPost(f).Header.Get("Authorization"), "20261122T010203Z", "/a%20b", "x=1&y")
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=;;,Signature=", "", "", "%")
	f.Add("AWS4-HMAC-SHA256 =,=", "Sun, 22 Nov 2026 01:02:03 GMT", "*", "=;&")
	f.Fuzz(func(t *testing.T, auth, date, path, query string) {
		r := httptest.NewRequest("POST", "http://host/", nil)
		r.URL.Path, r.URL.RawQuery = path, query
		r.Header["Authorization"] = []string{auth}
		r.Header["X-Amz-Date"] = []string{date}
		req, err := Parse(r)
		if (req == nil) == (err == nil) {
			t.Fatalf("%v with %v", req, err)
		}
		if req != nil && req.Verify("not the secret", UnsignedPayload) == nil {
			t.Fatal("a made-up signature verifies")
		}
	})
}
