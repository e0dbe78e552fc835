package localecr_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestClose calls Close as programs do: deferred and by hand, together, and in place of a context.
func TestClose(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) *localecr.Server {
		t.Helper()
		srv, err := localecr.New(localecr.Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return srv
	}
	closed := func(t *testing.T, srv *localecr.Server) {
		t.Helper()
		if err := srv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}

	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		srv := open(t)
		closed(t, srv)
		closed(t, srv)
	})
	t.Run("together", func(t *testing.T) {
		t.Parallel()
		srv := open(t)
		var callers sync.WaitGroup
		for range 4 {
			callers.Go(func() { closed(t, srv) })
		}
		callers.Wait()
	})
	t.Run("before the test's own", func(t *testing.T) {
		t.Parallel()
		srv := open(t)
		srv.Start(t)
		closed(t, srv)
		refused(t, srv.Registry)
	})
	t.Run("while it serves", func(t *testing.T) {
		t.Parallel()
		srv := open(t)
		l, err := srv.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- l.Serve(context.Background()) }()
		resp, err := http.Get(srv.URL + "/v2/")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		closed(t, srv)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("Serve does not end with the server")
		}
		refused(t, srv.Registry)
	})
	t.Run("before Serve", func(t *testing.T) {
		t.Parallel()
		srv := open(t)
		l, err := srv.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		closed(t, srv)
		refused(t, srv.Registry)
		if err := l.Serve(context.Background()); err == nil {
			t.Error("a closed server serves")
		}
	})
	t.Run("before Listen", func(t *testing.T) {
		t.Parallel()
		srv := open(t)
		closed(t, srv)
		if _, err := srv.Listen("127.0.0.1:0"); err == nil {
			t.Error("a closed server listens")
		}
		if err := srv.Expire(); err == nil {
			t.Error("a closed server expires what is over")
		}
	})
}

// refused checks that nothing listens at addr.
func refused(t *testing.T, addr string) {
	t.Helper()
	if c, err := net.DialTimeout("tcp", addr, time.Minute); err == nil {
		_ = c.Close()
		t.Errorf("%s still listens", addr)
	}
}
