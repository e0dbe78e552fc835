package ecr

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestPushReplacesStalledUpload has the connections of the first parts take no byte
// after those that the operating systems have room for.
func TestPushReplacesStalledUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	hole, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	fixture.Check(t, err)
	t.Cleanup(func() { hole.Close() })
	e := w.repository("app")
	e.Upload = UploadNative
	e.policy.Bytes, e.policy.Answer = 300*time.Millisecond, 5*time.Second
	var dials atomic.Int32
	var dialer net.Dialer
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) <= 2 {
			addr = hole.Addr().String()
		}
		return dialer.DialContext(ctx, network, addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	e.parts = calls.Watched((&http.Client{Transport: transport}).Do, e.waits)
	src, _ := fixture.NewImage(t, 25<<20)
	result := mustCopy(t, layout.New(src), e, transfer.Options{Reference: "x", Tags: []string{"x"}})
	if result.Retries < 1 {
		t.Error("nothing was sent again")
	}
}

// TestRetryAfterForAll has one of many calls told to wait: no other of its operation
// comes before.
func TestRetryAfterForAll(t *testing.T) {
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
