package auth

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

// registryServer takes the passwords that it is told to, and echoes the body.
type registryServer struct {
	*httptest.Server
	good     atomic.Pointer[string]
	requests atomic.Int64
	status   int
}

func startRegistry(t *testing.T, status int) *registryServer {
	t.Helper()
	s := &registryServer{status: status}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.requests.Add(1)
		user, secret, _ := req.BasicAuth()
		if good := s.good.Load(); user != Username || good == nil || secret != *good {
			w.WriteHeader(s.status)
			io.WriteString(w, `{"errors":[{"code":"DENIED","message":"Your Authorization Token is invalid."}]}`)
			return
		}
		_, _ = io.Copy(w, req.Body)
	}))
	t.Cleanup(s.Close)
	return s
}

// R23: a token that has died early costs one more call and one more request.
func TestTransport(t *testing.T) {
	isolate(t)
	second, fourth := password+"2", password+"4"
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest} {
		calls := mintServer(t)
		server := startRegistry(t, status)
		r := local
		r.Host = strings.TrimPrefix(server.URL, "http://")
		now := time.Now()
		tokens := &Tokens{Store: &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "cache"), Now: func() time.Time { return now }}}
		tokens.Minter.AWS.Now = func() time.Time { return now }
		tokens.Minter.AWS.Registries = apiElsewhere(r)
		client := &http.Client{Transport: &Transport{Tokens: tokens, Registry: r}}
		put := func(body io.Reader) (int, string) {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if req.Header.Get("Authorization") != "" {
				t.Error("the caller's request was changed")
			}
			return response.StatusCode, string(text)
		}
		count := func(what string, wantCalls, wantRequests int64) {
			t.Helper()
			if calls.Load() != wantCalls || server.requests.Load() != wantRequests {
				t.Errorf("%s: %d calls and %d requests, want %d and %d", what, calls.Load(), server.requests.Load(), wantCalls, wantRequests)
			}
		}
		// A new token is refused for what it may not do: nothing is repeated.
		if code, _ := put(nil); code != status {
			t.Errorf("refused: %d", code)
		}
		count("new token", 1, 1)

		server.good.Store(&second)
		now = now.Add(time.Hour)
		if code, body := put(strings.NewReader("text")); code != http.StatusOK || body != "text" {
			t.Errorf("died early: %d, %q", code, body)
		}
		count("died early", 2, 3)
		if code, _ := put(nil); code != http.StatusOK {
			t.Errorf("good token: %d", code)
		}
		count("good token", 2, 4)

		// Both are refused: one more call, and no third request.
		server.good.Store(new(string))
		now = now.Add(time.Hour)
		if code, _ := put(nil); code != status {
			t.Errorf("both refused: %d", code)
		}
		count("both refused", 3, 6)

		// What can't be sent again is not; the next request has the new token.
		server.good.Store(&fourth)
		now = now.Add(time.Hour)
		if code, _ := put(io.NopCloser(strings.NewReader("once"))); code != status {
			t.Errorf("a body that is gone: %d", code)
		}
		count("a body that is gone", 3, 7)
		if code, _ := put(io.NopCloser(strings.NewReader("once"))); code != http.StatusOK {
			t.Errorf("after it: %d", code)
		}
		count("after it", 4, 8)
	}
}

// TestExpiredToken has the registry say of a token that is new by this machine's clock that it has expired, as after a
// machine slept: one call and one more request, and no third one.
func TestExpiredToken(t *testing.T) {
	isolate(t)
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest} {
		for _, always := range []bool{false, true} {
			calls := mintServer(t)
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if requests++; requests == 1 || always {
					w.WriteHeader(status)
					io.WriteString(w, `{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}`)
				}
			}))
			defer server.Close()
			r := local
			r.Host = strings.TrimPrefix(server.URL, "http://")
			tokens := &Tokens{Store: &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "cache")}}
			tokens.Minter.AWS.Registries = apiElsewhere(r)
			first, err := tokens.Token(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			response, err := (&http.Client{Transport: &Transport{Tokens: tokens, Registry: r}}).Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if succeeded := response.StatusCode == http.StatusOK; succeeded == always || calls.Load() != 2 || requests != 2 {
				t.Errorf("%s after %d requests and %d calls", response.Status, requests, calls.Load())
			}
			if cached, _, err := tokens.Cached(t.Context(), r); err != nil || cached.Secret == first.Secret {
				t.Errorf("the cache still has the first token: %v", err)
			}
		}
	}
}

// TestExpiredTokenTogether has the registry refuse the token of many requests at the same time: all of them are sent
// again with one other token.
func TestExpiredTokenTogether(t *testing.T) {
	isolate(t)
	calls := mintServer(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, secret, _ := req.BasicAuth(); secret == password+"1" {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}`)
		}
	}))
	t.Cleanup(server.Close)
	r := local
	r.Host = strings.TrimPrefix(server.URL, "http://")
	tokens := &Tokens{Store: &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "cache")}}
	tokens.Minter.AWS.Registries = apiElsewhere(r)
	if _, err := tokens.Token(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &Transport{Tokens: tokens, Registry: r}}
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			response, err := client.Get(fmt.Sprintf("%s/%d", server.URL, i))
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Error(response.Status)
			}
		})
	}
	group.Wait()
	if n := calls.Load(); n != 2 {
		t.Errorf("%d calls", n)
	}
}

// TestOtherMistakesKeepTheToken answers 400 to a request with a good token: it is neither
// forgotten nor is the body of the answer changed.
func TestOtherMistakesKeepTheToken(t *testing.T) {
	isolate(t)
	calls := mintServer(t)
	for _, body := range []string{"", "<html>", `{"errors":[{"code":"MANIFEST_INVALID","message":"DENIED"}]}`, strings.Repeat("x", 3*maxRefusal)} {
		var requests atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, body)
		}))
		defer server.Close()
		r := local
		r.Host = strings.TrimPrefix(server.URL, "http://")
		calls.Store(0)
		now := time.Now()
		tokens := &Tokens{}
		tokens.Minter.AWS.Now = func() time.Time { return now }
		tokens.Minter.AWS.Registries = apiElsewhere(r)
		transport := &Transport{Tokens: tokens, Registry: r}
		if _, err := transport.current(t.Context()); err != nil {
			t.Fatal(err)
		}
		now = now.Add(2 * minAgeRefused)
		response, err := (&http.Client{Transport: transport}).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(got) != body || requests.Load() != 1 {
			t.Errorf("%.40q, %v after %d requests, want %.40q", got, err, requests.Load(), body)
		}
	}
}

// TestTransportReadsConfigurationOnce sends many requests: the AWS configuration is read for the first one, and again
// after some time.
func TestTransportReadsConfigurationOnce(t *testing.T) {
	isolate(t)
	mintServer(t)
	server := startRegistry(t, http.StatusUnauthorized)
	first := password + "1"
	server.good.Store(&first)
	r := local
	r.Host = strings.TrimPrefix(server.URL, "http://")
	now := time.Now()
	var reads atomic.Int64
	tokens := &Tokens{}
	tokens.Minter.AWS = AWS{
		Now:        func() time.Time { return now },
		Registries: apiElsewhere(r),
		LoadOptions: []func(*config.LoadOptions) error{func(*config.LoadOptions) error {
			reads.Add(1)
			return nil
		}},
	}
	client := &http.Client{Transport: &Transport{Tokens: tokens, Registry: r}}
	send := func(requests int) int64 {
		t.Helper()
		before := reads.Load()
		for range requests {
			response, err := client.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Errorf("got %s", response.Status)
			}
		}
		return reads.Load() - before
	}
	send(1)
	if n := send(50); n != 0 {
		t.Errorf("the configuration was read %d times for 50 requests", n)
	}
	now = now.Add(time.Minute)
	if n := send(1); n == 0 {
		t.Error("the configuration was not read after a minute")
	}
	if n := send(50); n != 0 {
		t.Errorf("the configuration was read %d times for 50 requests", n)
	}
}

// apiElsewhere is the rule of a registry on this machine whose API is at the endpoint in
// the environment.
func apiElsewhere(r Registry) Registries {
	return Registries{Rules: []Rule{{Host: r.Host, Endpoint: os.Getenv("AWS_ENDPOINT_URL_ECR")}}}
}

func TestTransportElsewhere(t *testing.T) {
	isolate(t)
	calls := mintServer(t)
	var authorization atomic.Pointer[string]
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		value := req.Header.Get("Authorization")
		authorization.Store(&value)
	}))
	t.Cleanup(elsewhere.Close)
	registry := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(registry.Close)
	r := local
	r.Host = strings.TrimPrefix(registry.URL, "http://")
	client := &http.Client{Transport: &Transport{Tokens: &Tokens{Minter: Minter{AWS: AWS{Registries: apiElsewhere(r)}}}, Registry: r}}
	response, err := client.Get(registry.URL)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if got := authorization.Load(); got == nil || *got != "" || calls.Load() != 1 {
		t.Errorf("the other host got %v, %d calls", got, calls.Load())
	}

	remote := Registry{Host: "123456789012.dkr.ecr.us-east-1.amazonaws.com", Account: "123456789012", Region: "us-east-1", Partition: "aws"}
	client.Transport = &Transport{Tokens: &Tokens{}, Registry: remote, Base: http.NewFileTransport(nil)}
	if _, err := client.Get("http://" + remote.Host + "/v2/"); !errors.Is(err, ErrPlainHTTP) || calls.Load() != 1 {
		t.Errorf("plain HTTP: %v, %d calls", err, calls.Load())
	}
}
