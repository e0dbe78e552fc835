package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// ErrPlainHTTP reports that a token would be sent to another machine in plain text.
var ErrPlainHTTP = retry.As(retry.Final, errors.New("the token is not sent over plain HTTP"))

// Transport sends requests to a registry with its token. A token that the
// registry refuses (401, 403) is taken out of the cache, and the request is sent
// again with a new one. Requests to another host, as after a redirect, are
// sent as they are. The AWS configuration, which chooses the token, is read again
// after half a minute. A Transport is safe for concurrent use.
type Transport struct {
	// Tokens has the tokens; nil keeps tokens in memory only.
	Tokens   *Tokens
	Registry Registry
	// Base sends the requests; nil is like http.DefaultTransport, except that
	// requests to this machine stay on it.
	Base http.RoundTripper

	mu    sync.Mutex
	token Token     // the zero Token if Tokens is to be asked
	asked time.Time // when Tokens was asked for it
	own   Tokens    // if Tokens is nil
}

func (t *Transport) tokens() *Tokens {
	if t.Tokens == nil {
		return &t.own
	}
	return t.Tokens
}

const (
	// minAgeRefused is how old a token is at least that could be refused for itself.
	// A younger one is refused for what it may not do, and so would the next be, unless the
	// registry says that it has expired: this machine's clock may have stood still.
	minAgeRefused = time.Minute
	// askAgain is how long a token is used before Tokens is asked again: it reads the
	// AWS configuration each time. Tokens are returned no later than a minute before
	// their end.
	askAgain = 30 * time.Second
	// replaceTries is how often a refused token is taken out of the cache.
	replaceTries = 3
)

// RoundTrip sends a request. Its errors are those of [Tokens.Token],
// [ErrPlainHTTP] and those of Base. A request whose body can't be read again (see
// [http.Request.GetBody]) is not repeated; the next one has the new token.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.EqualFold(req.URL.Host, t.Registry.Host) {
		return t.base().RoundTrip(req)
	}
	if req.URL.Scheme != "https" && t.Registry.Scheme() != req.URL.Scheme {
		closeBody(req)
		return nil, fmt.Errorf("%w: %s", ErrPlainHTTP, t.Registry.Host)
	}
	token, err := t.current(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	response, err := t.base().RoundTrip(withToken(req.Context(), req, token))
	if err != nil {
		return response, err
	}
	refused, expired := isRefusal(response)
	if !refused || !expired && t.tokens().now().Sub(token.IssuedAt) < minAgeRefused {
		return response, nil
	}
	again, ok := repeat(req)
	if !ok {
		t.forget(token)
		_ = t.tokens().Reject(req.Context(), t.Registry, token) // the registry's answer is the better one
		return response, nil
	}
	other, err := t.replace(req.Context(), token)
	if err != nil {
		closeBody(again)
		return response, nil
	}
	// The connection can be used again if the answer is read; a refusal is short.
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
	response.Body.Close()
	return t.base().RoundTrip(withToken(req.Context(), again, other))
}

// replace returns another token than the refused one, which it takes out of the cache. A
// request beside it may have read that from the cache just before, and have put it back
// where it was in memory.
func (t *Transport) replace(ctx context.Context, refused Token) (Token, error) {
	for try := 1; ; try++ {
		t.forget(refused)
		if err := t.tokens().Reject(ctx, t.Registry, refused); err != nil {
			return Token{}, err
		}
		token, err := t.current(ctx)
		if err != nil || token.Secret != refused.Secret || try == replaceTries {
			return token, err
		}
	}
}

// current returns the token for a request that is sent now.
func (t *Transport) current(ctx context.Context) (Token, error) {
	now := t.tokens().now()
	t.mu.Lock()
	token, age := t.token, now.Sub(t.asked)
	t.mu.Unlock()
	if token.Secret != "" && age >= 0 && age < askAgain {
		return token, nil
	}
	token, err := t.tokens().Token(ctx, t.Registry)
	if err != nil {
		return Token{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token, t.asked = token, now
	return token, nil
}

// forget has the next request ask for a token.
func (t *Transport) forget(refused Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token.Secret == refused.Secret {
		t.token = Token{}
	}
}

func (t *Transport) base() http.RoundTripper {
	if t.Base == nil {
		return defaultTransport()
	}
	return t.Base
}

// defaultTransport is shared, as its connections are.
var defaultTransport = sync.OnceValue(calls.NewTransport)

// isRefusal reports whether the token was refused, and whether the registry says that it has
// expired. One that is cut off or otherwise damaged gets 400 from Amazon ECR, as many other
// mistakes do; the code in the body is DENIED:
// https://github.com/aws/aws-cli/issues/4962.
func isRefusal(r *http.Response) (refused, expired bool) {
	switch r.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		refused = true
	case http.StatusBadRequest:
	default:
		return false, false
	}
	head, _ := io.ReadAll(io.LimitReader(r.Body, maxRefusal))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), r.Body), r.Body}
	var answer struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(head, &answer) != nil {
		return refused, false
	}
	for _, e := range answer.Errors {
		if e.Code == "DENIED" || e.Code == "UNAUTHORIZED" {
			refused = true
			expired = expired || strings.Contains(strings.ToLower(e.Message), "token has expired")
		}
	}
	return refused, expired
}

// maxRefusal is how much of the body of a refusal is read.
const maxRefusal = 8 << 10

// withToken is the request with the token; RoundTrip must not change its own.
func withToken(ctx context.Context, req *http.Request, token Token) *http.Request {
	req = req.Clone(ctx)
	req.SetBasicAuth(Username, token.Secret)
	return req
}

// repeat is the request with its body from the beginning.
func repeat(req *http.Request) (*http.Request, bool) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, false
	}
	again := *req
	again.Body = body
	return &again, true
}

// closeBody is the duty of a RoundTrip that does not send the request.
func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}
