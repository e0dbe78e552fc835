package proxy

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// stubborn is an upstream whose requests end when they are told to, and not with their context.
type stubborn struct {
	*upstream
	requests chan chan struct{} // gets one for each request, which ends when that is closed
}

func (u stubborn) Ranges(context.Context, content.Descriptor) (content.RangeOpener, error) {
	end := make(chan struct{})
	u.requests <- end
	<-end
	return func(_ context.Context, first, n int64) (io.ReadCloser, error) { return u.part(first, n), nil }, nil
}

// TestCloseWaitsForPrepared closes the proxy while a blob is prepared that is then fetched into the cache: Close waits
// for the fetch too.
func TestCloseWaitsForPrepared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := stubborn{newUpstream(1000), make(chan chan struct{})}
		cache, err := OpenCache(t.TempDir(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		defer cache.Close()
		cache.free = func() (int64, error) { return 1 << 40, nil } // whatever else is on this disk
		h := New(cache, Options{Open: func(context.Context, string, string) (content.Source, error) { return u, nil }})
		h.prepare(h.repository(target{host: registryHost, repository: "team/app"}), u.manifest)
		prepared := <-u.requests
		time.Sleep(preparedFor) // on the clock of the test: what was prepared is forgotten, so the fetch asks again

		closed := make(chan struct{})
		isClosed := func() bool {
			synctest.Wait()
			select {
			case <-closed:
				return true
			default:
				return false
			}
		}
		go func() { defer close(closed); h.Close() }()
		if isClosed() {
			t.Error("Close did not wait for what is prepared")
		}
		close(prepared)
		fetched := <-u.requests
		if isClosed() {
			t.Error("Close did not wait for the fetch of what was prepared")
		}
		close(fetched)
		if !isClosed() {
			t.Error("Close does not end with the fetch")
		}
	})
}
