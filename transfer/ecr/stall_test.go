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
	e.policy.Bytes, e.policy.Answer = time.Second, 5*time.Second // longer than a busy machine takes for some bytes
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
