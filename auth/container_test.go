package auth

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

type sender func(*http.Request) (*http.Response, error)

func (s sender) Do(r *http.Request) (*http.Response, error) { return s(r) }

// The credentials of a container come over our client, which asks no proxy for this
// machine and for AWS's own addresses. The token goes nowhere else by plain HTTP.
func TestContainerCredentialsStayHere(t *testing.T) {
	for _, test := range []struct {
		url string
		ok  bool
	}{
		{"http://169.254.170.23/v1/credentials", true}, {"http://[fd00:ec2::23]/v1/credentials", true}, {"http://169.254.170.2/x", true},
		{"http://localhost:8080/", true}, {"http://127.0.0.1:8080/", true}, {"https://credentials.example.com/", true},
		{"http://127-0-0-1.example.com/", false}, {"http://10.0.0.1/", false}, {"http://169.254.170.23.example.com/", false},
		{"http://169.254.170.23@evil.example/", false},
	} {
		isolate(t)
		t.Setenv("AWS_ACCESS_KEY_ID", "")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "")
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", test.url)
		t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-container")
		var hosts []string
		client := sender(func(r *http.Request) (*http.Response, error) {
			hosts = append(hosts, r.URL.Host)
			if r.Header.Get("Authorization") != "canary-container" {
				return nil, errors.New("no token")
			}
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r, Body: io.NopCloser(strings.NewReader(
				`{"AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"s","Token":"t","Expiration":"2999-01-01T00:00:00Z"}`))}, nil
		})
		cfg, err := AWS{HTTPClient: client}.Config(t.Context(), local)
		var got aws.Credentials
		if err == nil {
			got, err = cfg.Credentials.Retrieve(t.Context())
		}
		if test.ok && (err != nil || got.AccessKeyID != "AKIDEXAMPLE" || len(hosts) != 1) || !test.ok && (!errors.Is(err, ErrNoCredentials) || len(hosts) > 0) {
			t.Errorf("%s: %v, asked %v", test.url, err, hosts)
		}
	}
}

// The token of a task's role costs its calls once: each task has its own, and the next process with
// another client asks nobody.
func TestTaskTokenIsCached(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	dir := filepath.Join(t.TempDir(), "cache")
	r := Registry{Host: account1 + ".dkr.ecr.us-east-1.amazonaws.com", Account: account1, Region: "us-east-1", Partition: "aws"}
	for _, want := range []struct {
		task  string
		calls int
	}{{"/task/1", 2}, {"/task/1", 0}, {"/task/2", 2}, {"/task/1", 0}} {
		t.Setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", want.task)
		calls := 0
		client := sender(func(request *http.Request) (*http.Response, error) {
			calls++
			body := fmt.Sprintf(`{"authorizationData":[{"authorizationToken":"QVdTOmNhbmFyeS1wYXNzd29yZA==","expiresAt":%d,"proxyEndpoint":"https://x"}]}`, time.Now().Add(12*time.Hour).Unix())
			if request.URL.Host == "169.254.170.2" && request.URL.Path == want.task {
				body = `{"AccessKeyId":"AKIDEXAMPLE","SecretAccessKey":"s","Token":"t","Expiration":"2999-01-01T00:00:00Z"}`
			}
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}, Request: request, Body: io.NopCloser(strings.NewReader(body))}, nil
		})
		tokens := &Tokens{Store: &tokenstore.Store{Dir: dir}, Minter: Minter{AWS: AWS{HTTPClient: client}}}
		if token, err := tokens.Token(t.Context(), r); err != nil || token.Secret != password || calls != want.calls {
			t.Errorf("%s: %v after %d calls, want %d", want.task, err, calls, want.calls)
		}
	}
}
