package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	helpers "github.com/docker/docker-credential-helpers/credentials"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

// mintServer is an ECR API that gives another token each time.
func mintServer(t *testing.T) *atomic.Int64 {
	t.Helper()
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		token := encodeToken(fmt.Sprintf("%s%d", password, calls.Add(1)))
		fmt.Fprintf(w, `{"authorizationData":[{"authorizationToken":%q,"expiresAt":%d}]}`, token, time.Now().Add(12*time.Hour).Unix())
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_ECR", server.URL)
	return &calls
}

func TestTokensTogether(t *testing.T) {
	for _, store := range []*tokenstore.Store{nil, {Dir: filepath.Join(t.TempDir(), "cache")}} {
		isolate(t)
		calls := mintServer(t)
		tokens := &Tokens{Store: store}
		var wg sync.WaitGroup
		for i := range 100 {
			r := local
			r.Host = fmt.Sprintf("h%d.example.com", i)
			wg.Go(func() {
				if token, err := tokens.Token(t.Context(), r); err != nil || token.Secret != password+"1" {
					t.Errorf("%q, %v", token.Secret, err)
				}
			})
		}
		wg.Wait()
		if calls.Load() != 1 {
			t.Errorf("%d calls", calls.Load())
		}
	}
}

func TestTokensReject(t *testing.T) {
	isolate(t)
	calls := mintServer(t)
	tokens := &Tokens{Store: &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "cache")}}
	get := func() Token {
		token, err := tokens.Token(t.Context(), local)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := get()
	for range 2 { // the second one is of a token that is there no longer
		if err := tokens.Reject(t.Context(), local, first); err != nil {
			t.Fatal(err)
		}
		if again := get(); again.Secret != password+"2" {
			t.Errorf("got %q", again.Secret)
		}
	}
	if err := tokens.Forget(t.Context(), local); err != nil {
		t.Fatal(err)
	}
	if get(); calls.Load() != 3 {
		t.Errorf("%d calls", calls.Load())
	}
}

// Credentials that a program gives are told apart by their access key.
func TestTokensOfProvidedCredentials(t *testing.T) {
	isolate(t)
	calls := mintServer(t)
	store := &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "cache")}
	seen := map[string]bool{}
	for _, id := range []string{"AKIAONE", "AKIATWO", "AKIAONE"} {
		tokens := &Tokens{Store: store}
		tokens.Minter.AWS.LoadOptions = []func(*config.LoadOptions) error{
			config.WithCredentialsProvider(aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(id, "s", ""))),
		}
		token, err := tokens.Token(t.Context(), local)
		if err != nil {
			t.Fatal(err)
		}
		seen[token.Secret] = true
	}
	if calls.Load() != 2 || len(seen) != 2 {
		t.Errorf("%d calls, tokens %v", calls.Load(), len(seen))
	}
}

// An environment that is not the process's is never taken for it.
func TestTokensOfAnotherEnvironment(t *testing.T) {
	isolate(t)
	mintServer(t)
	store := &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "cache")}
	injected := &Tokens{Store: store}
	injected.Minter.AWS.Env = func(key string) (string, bool) {
		value, ok := map[string]string{"AWS_ACCESS_KEY_ID": "AKIAINJECTED", "AWS_SECRET_ACCESS_KEY": "s"}[key]
		return value, ok
	}
	if _, err := injected.Token(t.Context(), local); err != nil {
		t.Fatal(err)
	}
	plan, err := injected.Minter.AWS.Plan(t.Context(), local)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get(plan.Key()); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("the process's token is kept as the injected identity's: %v", err)
	}
}

func TestRules(t *testing.T) {
	rs := Registries{
		Mapping: Mapping{localHost: local},
		Rules: []Rule{
			{Host: "*.disabled.example.com", Disabled: true},
			{Host: "Cname.example.com", RegistryID: account1, Region: "cn-north-1"},
			{Host: "*.dkr.ecr.us-east-1.amazonaws.com", Profile: "first"},
			{Host: "*.dkr.ecr.us-east-1.amazonaws.com", Profile: "second"},
			{Host: "incomplete.example.com", Profile: "x"},
		},
	}
	r, err := rs.Parse("https://CNAME.example.com/v2/")
	if err != nil || r.Account != account1 || r.Region != "cn-north-1" || r.Partition != "aws-cn" {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := rs.Parse(localHost); err != nil || r != local {
		t.Errorf("%+v, %v", r, err)
	}
	if rule, i := rs.Rule(account1 + ".dkr.ecr.us-east-1.amazonaws.com"); i != 2 || rule.Profile != "first" {
		t.Errorf("rule %d", i)
	}
	for host, want := range map[string]string{"a.disabled.example.com": "disabled", "incomplete.example.com": "needs registry_id and region", "docker.io": "not an Amazon ECR"} {
		if _, err := rs.Parse(host); !errors.Is(err, ErrNotECR) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, rule := range []Rule{{}, {Host: "a/b"}, {Host: "x", RegistryID: "1"}, {Host: "x", Region: "moon"}, {Host: "x", ExternalID: "1"},
		{Host: "x", RoleARN: "role"}, {Host: "x", Endpoint: "ftp://x"}, {Host: "x", IgnoreEnvironment: true}} {
		if rule.Validate() == nil {
			t.Errorf("%+v is valid", rule)
		}
	}
}

func TestHelper(t *testing.T) {
	isolate(t)
	mintServer(t)
	registries := Registries{Mapping: Mapping{localHost: local}}
	tokens := &Tokens{Store: &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "cache")}}
	tokens.Minter.AWS.Registries = registries
	h := &CredentialHelper{Tokens: tokens, Registries: registries}
	for _, url := range []string{localHost, "https://" + localHost + "/", account1 + ".dkr.ecr.us-east-1.amazonaws.com"} {
		if user, secret, err := h.Get(url); user != "AWS" || secret != password+"1" || err != nil {
			t.Errorf("%s: %q, %v", url, user, err)
		}
	}
	for _, url := range []string{"https://index.docker.io/v1/", "ghcr.io", ""} {
		if _, _, err := h.Get(url); !helpers.IsErrCredentialsNotFound(err) {
			t.Errorf("%s: %v", url, err)
		}
	}
	list, err := h.List()
	if err != nil || len(list) != 2 || list[localHost] != "AWS" {
		t.Errorf("%v, %v", list, err)
	}
	for range 2 {
		if err := h.Delete("http://" + localHost); err != nil {
			t.Error(err)
		}
	}
	if list, err := h.List(); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if err := h.Add(&helpers.Credentials{ServerURL: localHost}); err != nil {
		t.Error(err)
	}
	if err := h.Add(&helpers.Credentials{ServerURL: "ghcr.io"}); err == nil {
		t.Error("stored for somebody else")
	}
	t.Setenv("AWS_PROFILE", "absent")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	if _, _, err := h.Get(localHost); err == nil || helpers.IsErrCredentialsNotFound(err) || !strings.HasPrefix(err.Error(), "ecr: ") {
		t.Errorf("failure: %v", err)
	}
	if _, _, err := h.Get("public.ecr.aws"); !helpers.IsErrCredentialsNotFound(err) {
		t.Errorf("public failure: %v", err)
	}
}

func TestTokensEnd(t *testing.T) {
	isolate(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := new(Tokens).Token(ctx, local); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func encodeToken(secret string) string {
	return base64.StdEncoding.EncodeToString([]byte("AWS:" + secret))
}
