package transfer

import (
	"maps"
	"sync"
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
