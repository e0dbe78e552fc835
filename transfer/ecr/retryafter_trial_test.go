//go:build trial

package ecr

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// starts notes when the requests of an operation begin, and when one of them is throttled.
type starts struct {
	http.RoundTripper
	operation string

	mu    sync.Mutex
	begun []time.Time
	told  time.Time
}

func (s *starts) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+s.operation) {
		return s.RoundTripper.RoundTrip(r)
	}
	s.mu.Lock()
	s.begun = append(s.begun, time.Now())
	s.mu.Unlock()
	response, err := s.RoundTripper.RoundTrip(r)
	if err == nil && response.StatusCode == http.StatusTooManyRequests {
		s.mu.Lock()
		s.told = time.Now()
		s.mu.Unlock()
	}
	return response, err
}

// TestTrialRetryAfterForAll has one of many calls told to wait: no other of its operation
// begins before. On a busy machine it may take a while until the others know.
func TestTrialRetryAfterForAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _ := fixture.NewImage(t, make([]int64, 12)...)
	fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: "InitiateLayerUpload", Nth: 3, Status: 429, RetryAfter: "2"}))
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	s := &starts{RoundTripper: transport, operation: "InitiateLayerUpload"}
	w.Config.HTTPClient = &http.Client{Transport: s}
	e := w.repository("app")
	e.Limits = &Limits{} // by the real time
	_, err := transfer.Copy(t.Context(), layout.New(src), e, transfer.Options{Reference: "x", Tags: []string{"x"}, AllConnections: 3})
	fixture.Check(t, err)
	if s.told.IsZero() {
		t.Fatal("no call was throttled")
	}
	later := 0
	for _, begun := range s.begun {
		switch after := begun.Sub(s.told); {
		case after < time.Second:
		case after < 1990*time.Millisecond:
			t.Errorf("a call began after %s", after)
		default:
			later++
		}
	}
	// Of 13 blobs, the third was told.
	if later < 5 {
		t.Errorf("only %d of %d calls began later", later, len(s.begun))
	}
}
