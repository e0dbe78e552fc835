//go:build trial

package ecr

import (
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestTrialRetryAfterForAll has one of many calls told to wait: no other of its operation
// comes before.
func TestTrialRetryAfterForAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _ := fixture.NewImage(t, make([]int64, 12)...)
	fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: "InitiateLayerUpload", Nth: 3, Status: 429, RetryAfter: "1"}))
	e := w.repository("app")
	e.Limits = &Limits{} // by the real time
	_, err := transfer.Copy(t.Context(), layout.New(src), e, transfer.Options{Reference: "x", Tags: []string{"x"}, AllConnections: 3})
	fixture.Check(t, err)
	var told time.Time
	later := 0
	for _, c := range w.Calls.Calls() {
		switch {
		case c.Op != "InitiateLayerUpload":
		case c.Status == 429:
			told = c.Time
		case told.IsZero() || c.Time.Sub(told) < 300*time.Millisecond: // on their way then
		case c.Time.Sub(told) < 990*time.Millisecond:
			t.Errorf("a call came after %s", c.Time.Sub(told))
		default:
			later++
		}
	}
	if later == 0 {
		t.Error("no call came later")
	}
}
