package transfer

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/transfer/internal/pace"
)

// opGetLayer is the operation of downloading a layer, or a range of it.
const opGetLayer = "GET /layers/{digest}"

// requestLog counts requests. The zero value is ready for use.
type requestLog struct {
	mu      sync.Mutex
	calls   map[string]int
	retries int
}

// add counts one request of an operation, which is sent again if so.
func (l *requestLog) add(op string, again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls == nil {
		l.calls = map[string]int{}
	}
	l.calls[op]++
	if again {
		l.retries++
	}
}

// Requests implements requestCounter.
func (l *requestLog) Requests() (calls map[string]int, retries int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.calls), l.retries
}

type repeatingKey struct{}

// repeating marks requests that repeat one that failed.
func repeating(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatingKey{}, true)
}

func isRepeating(ctx context.Context) bool {
	return ctx.Value(repeatingKey{}) != nil
}

// transport sends requests within the limits, and counts them by what operation
// names them. It sends none again.
func (c caller) transport(next http.RoundTripper, operation func(*http.Request) string) http.RoundTripper {
	return sender(func(r *http.Request) (*http.Response, error) {
		op := operation(r)
		sent, err := c.limits.wait(r.Context(), op)
		if err != nil {
			if r.Body != nil {
				r.Body.Close()
			}
			return nil, err
		}
		c.log.add(op, isRepeating(r.Context()))
		response, err := next.RoundTrip(r)
		switch {
		case err != nil:
			c.limits.done(op, sent, pace.Unknown, time.Time{})
		case response.StatusCode == http.StatusTooManyRequests:
			c.limits.done(op, sent, pace.Throttled, pace.RetryAfter(response.Header, time.Now()))
		case response.StatusCode >= http.StatusInternalServerError:
			c.limits.done(op, sent, pace.Unknown, pace.RetryAfter(response.Header, time.Now()))
		default:
			c.limits.done(op, sent, pace.Accepted, time.Time{})
		}
		return response, err
	})
}

// v2Operation names a request by its method and the route of the distribution API:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints.
func v2Operation(r *http.Request) string {
	rest, ok := strings.CutPrefix(r.URL.Path, "/v2/")
	if !ok {
		return r.Method + " {elsewhere}" // such as where tokens are given
	}
	parts := strings.Split(rest, "/")
	last := func(i int) string { return parts[max(len(parts)-i, 0)] }
	switch n := len(parts); {
	case rest == "" || rest == "_catalog":
		return r.Method + " /v2/" + rest
	case n >= 4 && last(3) == "blobs" && last(2) == "uploads" && last(1) == "":
		return r.Method + " /v2/{name}/blobs/uploads/"
	case n >= 4 && last(3) == "blobs" && last(2) == "uploads":
		return r.Method + " /v2/{name}/blobs/uploads/{uuid}"
	case n >= 3 && last(2) == "blobs":
		return r.Method + " /v2/{name}/blobs/{digest}"
	case n >= 3 && last(2) == "manifests":
		return r.Method + " /v2/{name}/manifests/{reference}"
	case n >= 3 && last(2) == "referrers":
		return r.Method + " /v2/{name}/referrers/{digest}"
	case n >= 3 && last(2) == "tags" && last(1) == "list":
		return r.Method + " /v2/{name}/tags/list"
	}
	return r.Method + " /v2/{unknown}"
}
