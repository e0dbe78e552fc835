package calls

import (
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/pace"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// Log counts requests. The zero value is ready for use.
type Log struct {
	mu      sync.Mutex
	calls   map[string]int
	retries int
}

// add counts one request of an operation; again marks one that is a retry.
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

// Requests returns how many requests were sent, by operation, and how many of them were retries.
func (l *Log) Requests() (calls map[string]int, retries int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.calls), l.retries
}

// Transport returns a transport that sends requests within the limits and counts them under the names that operation
// returns. It retries none.
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
		c.Log.add(op, retry.IsRepeated(r.Context()))
		response, err := next.RoundTrip(r)
		outcome, notBefore := pace.Unknown, time.Time{}
		if err == nil {
			now, patience := c.Limits.clock().Now(), retry.PatienceOf(r.Context())
			notBefore = NotBefore(response.StatusCode, response.Header, now)
			switch JudgeStatus(response.StatusCode, "") {
			case retry.Throttled:
				outcome = pace.Throttled
			case retry.Final:
				outcome, notBefore = pace.Accepted, time.Time{}
				if patience.Throttled > 0 && r.Method == http.MethodGet { // another method may not count
					notBefore = usedUp(response.Header, now)
				}
			}
			if patience.Waits != nil && notBefore.After(now) {
				patience.Waits(r.URL.Host, notBefore)
			}
		}
		retry.ThrottledSince(r.Context(), c.Limits.done(op, sent, outcome, notBefore))
		return response, err
	})
}
