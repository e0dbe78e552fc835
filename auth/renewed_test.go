package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/auth/tokenstore"
)

// renewal is a token past half of its life, and an API that answers as told.
type renewal struct {
	tokens *Tokens
	key    tokenstore.Key
	answer http.HandlerFunc
}

func startRenewal(t *testing.T) *renewal {
	t.Helper()
	isolate(t)
	r := &renewal{answer: func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"authorizationData":[{"authorizationToken":%q,"expiresAt":%d}]}`, encodeToken("first"), time.Now().Add(12*time.Hour).Unix())
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.answer(w, req) }))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_ECR", server.URL)

	now := time.Now()
	clock := func() time.Time { return now }
	r.tokens = &Tokens{Store: &tokenstore.Store{Dir: filepath.Join(t.TempDir(), "cache"), Now: clock}}
	r.tokens.Minter.AWS.Now = clock
	if _, err := r.tokens.Token(t.Context(), local); err != nil {
		t.Fatal(err)
	}
	plan, err := r.tokens.Minter.AWS.Plan(t.Context(), local)
	if err != nil {
		t.Fatal(err)
	}
	r.key = plan.Key()
	now = now.Add(7 * time.Hour)
	return r
}

// A renewal that is interrupted leaves the token, which is valid for hours.
func TestRenewalInterrupted(t *testing.T) {
	for name, interrupt := range map[string]func(t *testing.T, begun <-chan struct{}) context.Context{
		"canceled": func(t *testing.T, begun <-chan struct{}) context.Context {
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-begun; cancel() }()
			return ctx
		},
		"the caller's time is up": func(t *testing.T, _ <-chan struct{}) context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			t.Cleanup(cancel)
			return ctx
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRenewal(t)
			begun := make(chan struct{})
			r.answer = func(_ http.ResponseWriter, req *http.Request) {
				close(begun)
				waitForClient(req)
			}
			_, err := r.tokens.Token(interrupt(t, begun), local)
			if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if entry, err := r.tokens.Store.Get(r.key); err != nil || entry.Secret != "first" {
				t.Errorf("the token is gone: %v", err)
			}
		})
	}
}

// What AWS refuses ends the use of the token, and nothing else does.
func TestRenewalFails(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		used   bool // the token in the meantime
		kept   bool
	}{
		"refused":        {answer(400, fmt.Sprintf(errorAnswer, "AccessDeniedException", "no")), false, false},
		"throttled":      {answer(400, fmt.Sprintf(errorAnswer, "ThrottlingException", "slow down")), true, true},
		"server error":   {answer(500, fmt.Sprintf(errorAnswer, "ServerException", "oops")), true, true},
		"a login page":   {answer(200, "<html>log in to the network</html>"), true, true},
		"no token in it": {answer(200, `{"authorizationData":[]}`), false, true},
		"a proxy's 403":  {answer(403, "<html>blocked</html>"), true, true},
		"a proxy's 404":  {answer(404, "not found"), true, true},
		"unknown error":  {answer(400, fmt.Sprintf(errorAnswer, "ShinyNewException", "no")), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRenewal(t)
			r.answer = test.answer
			token, err := r.tokens.Token(t.Context(), local)
			if (err == nil) != test.used || test.used && token.Secret != "first" {
				t.Errorf("got %q, %v", token.Secret, err)
			}
			if _, err := r.tokens.Store.Get(r.key); (err == nil) != test.kept {
				t.Errorf("in the store: %v", err)
			}
		})
	}
}
