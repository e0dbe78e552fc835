package governance

import (
	"errors"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/fastclock"
	"github.com/ecrkit/ecrkit/localecr"
)

// TestCallsAreRetried counts the requests of calls that fail in a transient way once, or for
// good.
func TestCallsAreRetried(t *testing.T) {
	const op = "GetCallerIdentity"
	for _, tt := range []struct {
		fault    localecr.Fault
		requests int
		fails    bool
	}{
		{localecr.Fault{Op: op, Status: 500}, 2, false},
		{localecr.Fault{Op: op, Status: 400, Code: "ThrottlingException"}, 2, false},
		{localecr.Fault{Op: op, Count: -1, Status: 403, Code: "AccessDenied"}, 1, true},
	} {
		calls := &localecr.Recorder{}
		r := open(t, localecr.Options{Audit: calls, Faults: []localecr.Fault{tt.fault}}, "000000000000")
		r.cfg.RetryMaxAttempts = 0 // as it is for users
		r = New(r.cfg, r.Registry)
		err := r.checkAccount(fastclock.Context(t.Context()))
		if n := calls.Count(op); n != tt.requests || (err != nil) != tt.fails {
			t.Errorf("%d %s: %v after %d requests, want %d", tt.fault.Status, tt.fault.Code, err, n, tt.requests)
		}
		if errors.Is(err, ErrOtherAccount) {
			t.Error(err)
		}
	}
}
