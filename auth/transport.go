package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/loopback"
)

// ErrPlainHTTP reports that a token would be sent to another machine in plain text.
var ErrPlainHTTP = retry.As(retry.Final, errors.New("the token is not sent over plain HTTP"))

// Transport sends requests to a registry with its token. A token that the
// registry refuses (401, 403) is taken out of the cache, and the request is sent
// once more with a new one. Requests to another host, as after a redirect, are
// sent as they are.
type Transport struct {
	Tokens   *Tokens
	Registry Registry
	// Base sends the requests; nil is like http.DefaultTransport, except that
	// requests to this machine stay on it.
	Base http.RoundTripper
}

// minAgeRefused is how old a token is at least that could be refused for itself.
// A younger one is refused for what it may not do, and so would the next be.
const minAgeRefused = time.Minute

// RoundTrip sends a request. Its errors are those of [Tokens.Token],
// [ErrPlainHTTP] and those of Base. A request whose body can't be had again (see
// [http.Request.GetBody]) is not repeated; the next one has the new token.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.EqualFold(req.URL.Host, t.Registry.Host) {
		return t.base().RoundTrip(req)
	}
	if req.URL.Scheme != "https" && t.Registry.Scheme() != req.URL.Scheme {
		closeBody(req)
		return nil, fmt.Errorf("%w: %s", ErrPlainHTTP, t.Registry.Host)
	}
	token, err := t.Tokens.Token(req.Context(), t.Registry)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	response, err := t.base().RoundTrip(withToken(req.Context(), req, token))
	if err != nil || !isRefusal(response) || t.Tokens.now().Sub(token.IssuedAt) < minAgeRefused {
		return response, err
	}
	if err := t.Tokens.Reject(req.Context(), t.Registry, token); err != nil {
		return response, nil // the registry's answer is the better one
	}
	again, ok := repeat(req)
	if !ok {
		return response, nil
	}
	if token, err = t.Tokens.Token(req.Context(), t.Registry); err != nil {
		closeBody(again)
		return response, nil
	}
	// The connection can be used again if the answer is read; a refusal is short.
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
	response.Body.Close()
	return t.base().RoundTrip(withToken(req.Context(), again, token))
}

func (t *Transport) base() http.RoundTripper {
	if t.Base == nil {
		return defaultTransport()
	}
	return t.Base
}

// defaultTransport is shared, as its connections are.
var defaultTransport = sync.OnceValue(loopback.NewTransport)

func isRefusal(r *http.Response) bool {
	return r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden
}

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
