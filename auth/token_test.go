package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/test/fastclock"
)

const (
	localHost   = "registry.example.com"
	accessKey   = "AKIACANARY0000000000"
	secretKey   = "canary-secret-access-key"
	password    = "canary-password"
	goodAnswer  = `{"authorizationData":[{"authorizationToken":"QVdTOmNhbmFyeS1wYXNzd29yZA==","expiresAt":1.8e9,"proxyEndpoint":"https://x"}]}`
	errorAnswer = `{"__type":%q,"message":%q}`
)

var local = Registry{Host: localHost, Account: "000000000000", Region: "us-east-1", Partition: "aws"}

// isolate gives the SDK an environment without anything of this machine.
func isolate(t *testing.T) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for key, value := range map[string]string{
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_ECR": "", "AWS_REGION": "", "AWS_SESSION_TOKEN": "",
		"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_MAX_ATTEMPTS": "1",
		"AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
		"AWS_USE_FIPS_ENDPOINT": "", "AWS_USE_DUALSTACK_ENDPOINT": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(key, value)
	}
}

// serve makes the ECR API answer the same to every call.
func serve(t *testing.T, status int, body string) {
	t.Helper()
	serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// serveFunc makes the ECR API answer by a function.
func serveFunc(t *testing.T, answer http.HandlerFunc) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_ECR", server.URL)
}

// waitForClient waits until the client of a request goes. The server notices it
// once the body is read.
func waitForClient(req *http.Request) {
	_, _ = io.Copy(io.Discard, req.Body)
	<-req.Context().Done()
}

func TestMinter(t *testing.T) {
	isolate(t)
	serve(t, http.StatusOK, goodAnswer)
	// The clock of this machine is a day ahead of the service's: the token lives
	// as long as the service says, by this machine's clock.
	ahead := time.Now().Add(24 * time.Hour)
	m := Minter{AWS: AWS{Now: func() time.Time { return ahead }}}
	token, err := m.Token(t.Context(), local)
	if err != nil {
		t.Fatal(err)
	}
	left := token.ExpiresAt.Sub(ahead)
	want := time.Until(time.Unix(1.8e9, 0))
	if token.Secret != password || !token.IssuedAt.Equal(ahead) || (left-want).Abs() > time.Minute {
		t.Errorf("got %q, issued %v, %v left, want %v", token.Secret, token.IssuedAt, left, want)
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", token, token, token, &token); strings.Contains(shown, password) {
		t.Errorf("the password is shown: %s", shown)
	}
}

// recorder notes the host of each request and answers none.
type recorder struct{ hosts []string }

func (r *recorder) Do(request *http.Request) (*http.Response, error) {
	r.hosts = append(r.hosts, request.URL.Host)
	return nil, errors.New("not sent")
}

// The host that was named decides, before what is set for all hosts.
func TestEndpointOfHost(t *testing.T) {
	isolate(t)
	ecrHost := account1 + ".dkr.ecr.us-east-1.amazonaws.com"
	rule := Rule{Host: "*", Endpoint: "http://rule.example.com"}
	for name, tt := range map[string]struct {
		host      string
		env       map[string]string
		rules     []Rule
		want, by  string
		elsewhere bool
	}{
		"this machine":               {"127.0.0.1:4510", map[string]string{"AWS_ENDPOINT_URL_ECR": "http://127.0.0.1:4511"}, nil, "127.0.0.1:4510", "the host", false},
		"this machine, all services": {"127.0.0.1:4510", map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4511"}, nil, "127.0.0.1:4510", "the host", false},
		"this machine, ignored":      {"127.0.0.1:4510", map[string]string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, nil, "127.0.0.1:4510", "the host", false},
		"this machine, no setting":   {"a.localhost:4510", nil, nil, "a.localhost:4510", "the host", false},
		"rule":                       {"127.0.0.1:4510", map[string]string{"AWS_ENDPOINT_URL_ECR": "http://127.0.0.1:4511"}, []Rule{rule}, "rule.example.com", "endpoint of the rule", false},
		"rule, all services":         {ecrHost, map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4511"}, []Rule{rule}, "rule.example.com", "endpoint of the rule", false},
		"Amazon ECR":                 {ecrHost, map[string]string{"AWS_ENDPOINT_URL_ECR": "http://127.0.0.1:4511"}, nil, "127.0.0.1:4511", "AWS_ENDPOINT_URL_ECR", true},
		"VPC endpoint":               {ecrHost, map[string]string{"AWS_ENDPOINT_URL_ECR": "https://vpce-1.api.ecr.us-east-1.vpce.amazonaws.com"}, nil, "vpce-1.api.ecr.us-east-1.vpce.amazonaws.com", "AWS_ENDPOINT_URL_ECR", false},
		"dual-stack":                 {ecrHost, map[string]string{"AWS_ENDPOINT_URL": "https://ecr.us-east-1.api.aws"}, nil, "ecr.us-east-1.api.aws", "AWS_ENDPOINT_URL", false},
		"another region":             {ecrHost, map[string]string{"AWS_ENDPOINT_URL_ECR": "https://api.ecr.us-east-2.amazonaws.com"}, nil, "api.ecr.us-east-2.amazonaws.com", "AWS_ENDPOINT_URL_ECR", true},
		"the CNAME itself":           {"ecr.example.com", map[string]string{"AWS_ENDPOINT_URL_ECR": "https://ecr.example.com"}, nil, "ecr.example.com", "AWS_ENDPOINT_URL_ECR", false},
		"another partition":          {ecrHost, map[string]string{"AWS_ENDPOINT_URL_ECR": "https://api.ecr.us-east-1.amazonaws.com.cn"}, nil, "api.ecr.us-east-1.amazonaws.com.cn", "AWS_ENDPOINT_URL_ECR", true},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range tt.env {
				t.Setenv(key, value)
			}
			var sent recorder
			a := AWS{HTTPClient: &sent, Registries: Registries{Rules: tt.rules}}
			r := Registry{Host: tt.host, Account: account1, Region: "us-east-1", Partition: "aws"}
			plan, err := a.Plan(t.Context(), r)
			if err != nil || plan.Endpoint.SetBy != tt.by || plan.Endpoint.Elsewhere != tt.elsewhere {
				t.Errorf("%+v, %v", plan.Endpoint, err)
			}
			cfg, err := a.Config(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = NewClient(cfg, r).DescribeRegistry(t.Context(), nil)
			if len(sent.hosts) == 0 || sent.hosts[0] != tt.want {
				t.Errorf("called %v, want %s", sent.hosts, tt.want)
			}
		})
	}
}

func TestMinterEndpoint(t *testing.T) {
	tests := []struct{ host, environment, want string }{
		{account1 + ".dkr.ecr.us-east-1.amazonaws.com", "", "api.ecr.us-east-1.amazonaws.com"},
		{account1 + ".dkr.ecr-fips.us-east-1.amazonaws.com", "", "ecr-fips.us-east-1.amazonaws.com"},
		{account1 + ".dkr-ecr.eu-west-1.on.aws", "", "ecr.eu-west-1.api.aws"},
		{account1 + ".dkr-ecr-fips.us-west-2.on.aws", "", "ecr-fips.us-west-2.api.aws"},
		{account1 + ".dkr.ecr.cn-north-1.amazonaws.com.cn", "", "api.ecr.cn-north-1.amazonaws.com.cn"},
		{account1 + ".dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "", "ecr.cn-north-1.api.amazonwebservices.com.cn"},
		{account1 + ".dkr.ecr-fips.us-gov-west-1.amazonaws.com", "", "ecr-fips.us-gov-west-1.amazonaws.com"},
		{account1 + ".dkr.ecr.us-iso-east-1.c2s.ic.gov", "", "api.ecr.us-iso-east-1.c2s.ic.gov"},
		// What the user set wins over what the host says.
		{account1 + ".dkr-ecr-fips.us-west-2.on.aws", "http://vpce.example.com:81", "vpce.example.com:81"},
	}
	for _, tt := range tests {
		t.Run(tt.host, func(t *testing.T) {
			isolate(t)
			t.Setenv("AWS_ENDPOINT_URL_ECR", tt.environment)
			t.Setenv("AWS_REGION", "ap-south-1") // of no importance
			r, err := ParseRegistry(tt.host, nil)
			if err != nil {
				t.Fatal(err)
			}
			var sent recorder
			m := Minter{AWS: AWS{HTTPClient: &sent}}
			if _, err := m.Token(t.Context(), r); err == nil {
				t.Fatal("no error")
			}
			if len(sent.hosts) == 0 || !strings.HasSuffix(sent.hosts[0], tt.want) {
				t.Errorf("called %v, want %s", sent.hosts, tt.want)
			}
		})
	}
}

func TestMinterFailures(t *testing.T) {
	answer := func(status int, code, message string) func(*testing.T) {
		return func(t *testing.T) { serve(t, status, fmt.Sprintf(errorAnswer, code, message)) }
	}
	tests := []struct {
		name  string
		setup func(*testing.T)
		want  []string // parts of the one line
	}{
		{"access denied", answer(400, "AccessDeniedException", "User: arn:aws:iam::123456789012:user/x is not authorized to perform: ecr:GetAuthorizationToken"),
			[]string{"AccessDeniedException", "user/x is not authorized", "allow ecr:GetAuthorizationToken to this identity"}},
		{"unknown key", answer(400, "UnrecognizedClientException", "The security token included in the request is invalid."),
			[]string{"security token included in the request is invalid", "renew the AWS credentials"}},
		{"wrong secret", answer(403, "InvalidSignatureException", "The request signature we calculated does not match.\n\nThe Canonical String was\nx-amz-security-token:canary-session "+accessKey),
			[]string{"signature we calculated does not match", "check the secret access key"}},
		{"key in the message", answer(400, "ExpiredTokenException", "Key "+accessKey+" has expired"), []string{"Key AKIA… has expired", "renew"}},
		{"throttled", answer(400, "ThrottlingException", "Rate exceeded"), []string{"Rate exceeded", "try again later"}},
		{"server error", answer(500, "ServerException", "oops"), []string{"ServerException: oops"}},
		{"not the API", func(t *testing.T) { serve(t, 200, "<html>") }, []string{"see whether something else than AWS answers"}},
		{"no token", func(t *testing.T) { serve(t, 200, `{"authorizationData":[]}`) }, []string{"without a token"}},
		{"token of another form", func(t *testing.T) {
			serve(t, 200, strings.Replace(goodAnswer, "QVdTOmN", "Y2FuYXJ5", 1))
		}, []string{"not base64 of AWS:PASSWORD"}},
		{"nobody listens", func(t *testing.T) { t.Setenv("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:1") }, []string{"connection refused", "check the network, the proxy settings and AWS_ENDPOINT_URL_ECR"}},
		{"no credentials", func(t *testing.T) {
			t.Setenv("AWS_ACCESS_KEY_ID", "")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "")
		}, []string{"no AWS credentials: ", "set AWS_PROFILE, or AWS_ACCESS_KEY_ID"}},
		{"no such profile", func(t *testing.T) { t.Setenv("AWS_PROFILE", "nowhere") }, []string{"nowhere", "check AWS_PROFILE"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			isolate(t)
			tt.setup(t)
			_, err := new(Minter).Token(fastclock.Context(t.Context()), local)
			var explained *Error
			if !errors.As(err, &explained) {
				t.Fatalf("got %v", err)
			}
			for _, want := range append(tt.want, localHost) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q has not %q", err, want)
				}
			}
			for _, secret := range []string{"\n", accessKey, secretKey, password, "canary-session"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("error %q has %q in it", err, secret)
				}
			}
		})
	}
}

// TestMinterRetries counts the requests for a token that is refused in a transient way
// once, or for good, and those of a service that is down.
func TestMinterRetries(t *testing.T) {
	for _, tt := range []struct {
		name     string
		status   int
		code     string
		failures int64
		requests int64
	}{
		{"error", 500, "ServerException", 1, 2},
		{"throttled", 400, "ThrottlingException", 1, 2},
		{"final", 400, "AccessDeniedException", 1, 1},
		{"down", 503, "ServiceUnavailable", 100, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			isolate(t)
			t.Setenv("AWS_MAX_ATTEMPTS", "")
			var requests atomic.Int64
			serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/x-amz-json-1.1")
				if requests.Add(1) <= tt.failures {
					w.WriteHeader(tt.status)
					fmt.Fprintf(w, errorAnswer, tt.code, "no")
					return
				}
				io.WriteString(w, goodAnswer)
			})
			_, err := new(Minter).Token(fastclock.Context(t.Context()), local)
			if n := requests.Load(); n != tt.requests || (err == nil) != (tt.requests > tt.failures) {
				t.Errorf("%v after %d requests, want %d", err, n, tt.requests)
			}
		})
	}
}

func TestMinterEnds(t *testing.T) {
	isolate(t)
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) })
	t.Setenv("AWS_ENDPOINT_URL_ECR", server.URL)

	_, err := (&Minter{Timeout: 50 * time.Millisecond}).Token(t.Context(), local)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer in time; check the network") {
		t.Errorf("time is up: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = new(Minter).Token(ctx, local)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("canceled: %v", err)
	}
}

func FuzzDecodeToken(f *testing.F) {
	f.Add(base64.StdEncoding.EncodeToString([]byte("AWS:secret")))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		token, err := decodeToken(s, time.Time{})
		if (err == nil) != (token.Secret != "") {
			t.Fatalf("%q: %v", s, err)
		}
	})
}
