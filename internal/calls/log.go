package calls

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/pace"
)

// Log counts requests. The zero value is ready for use.
type Log struct {
	mu      sync.Mutex
	calls   map[string]int
	retries int
}

// add counts one request of an operation, which is sent again if so.
func (l *Log) add(op string, again bool) {
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
func (l *Log) Requests() (calls map[string]int, retries int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.calls), l.retries
}

type repeatingKey struct{}

// Repeating marks requests that repeat one that failed.
func Repeating(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatingKey{}, true)
}

func IsRepeating(ctx context.Context) bool {
	return ctx.Value(repeatingKey{}) != nil
}

// Transport sends requests within the limits, and counts them by what operation
// names them. It sends none again.
func (c Caller) Transport(next http.RoundTripper, operation func(*http.Request) string) http.RoundTripper {
	return Sender(func(r *http.Request) (*http.Response, error) {
		op := operation(r)
		sent, err := c.Limits.wait(r.Context(), op)
		if err != nil {
			if r.Body != nil {
				r.Body.Close()
			}
			return nil, err
		}
		c.Log.add(op, IsRepeating(r.Context()))
		response, err := next.RoundTrip(r)
		switch {
		case err != nil:
			c.Limits.done(op, sent, pace.Unknown, time.Time{})
		case response.StatusCode == http.StatusTooManyRequests:
			c.Limits.done(op, sent, pace.Throttled, pace.RetryAfter(response.Header, time.Now()))
		case response.StatusCode >= http.StatusInternalServerError:
			c.Limits.done(op, sent, pace.Unknown, pace.RetryAfter(response.Header, time.Now()))
		default:
			c.Limits.done(op, sent, pace.Accepted, time.Time{})
		}
		return response, err
	})
}
