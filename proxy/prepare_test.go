package proxy

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// asked is an upstream that counts the requests for the URL of a blob, each of which waits for the gate.
type asked struct {
	*upstream
	urls *atomic.Int64
	open chan struct{}
	err  error // of the first request
}

func (u asked) Ranges(ctx context.Context, d content.Descriptor) (content.RangeOpener, error) {
	n := u.urls.Add(1)
	select {
	case <-u.open:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if n == 1 && u.err != nil {
		return nil, u.err
	}
	return u.upstream.Ranges(ctx, d)
}

// TestPrepare asks for the URL of a blob when its manifest is answered, and uses it once.
func TestPrepare(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		method string // of the request for the manifest
		err    error
		before int64 // requests before the blob is asked for
		after  int64
	}{
		{"manifest", http.MethodGet, nil, 1, 1},
		{"only asked about", http.MethodHead, nil, 0, 1},
		{"asking fails", http.MethodGet, fmt.Errorf("throttled"), 1, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := asked{newUpstream(5 << 20), new(atomic.Int64), make(chan struct{}), tt.err}
			s := start(t, u, t.TempDir(), 16<<20)
			for range 3 { // the same blob is not prepared twice
				if response, _, err := s.send(tt.method, "/v2/"+registryHost+"/team/app/manifests/1.0", nil); err != nil || response.StatusCode != http.StatusOK {
					t.Fatal(response, err)
				}
			}
			close(u.open)
			s.handler.prepared.run.Wait()
			if n := u.urls.Load(); n != tt.before {
				t.Errorf("%d requests for the URL before the blob is asked for, want %d", n, tt.before)
			}
			for range 2 { // the second answer is from the cache
				if _, body, err := s.send(http.MethodGet, u.path(), nil); err != nil || !bytes.Equal(body, u.blob) {
					t.Fatalf("%d bytes, %v", len(body), err)
				}
			}
			if n := u.urls.Load(); n != tt.after {
				t.Errorf("%d requests for the URL, want %d", n, tt.after)
			}
			s.handler.fetches.run.Wait()
			if _, _, err := s.send(tt.method, "/v2/"+registryHost+"/team/app/manifests/1.0", nil); err != nil {
				t.Fatal(err)
			}
			s.handler.prepared.run.Wait()
			if n := u.urls.Load(); n != tt.after {
				t.Errorf("%d requests for the URL of a blob that the cache has", n-tt.after)
			}
		})
	}
}

// TestPrepareNothingRefused prepares no blob of an image that the policy refuses.
func TestPrepareNothingRefused(t *testing.T) {
	t.Parallel()
	u := asked{newUpstream(1000), new(atomic.Int64), make(chan struct{}), nil}
	close(u.open)
	s := start(t, u, t.TempDir(), 16<<20, func(o *Options) {
		o.Demand = func(context.Context, string, string) (ImageRequirements, error) {
			return ImageRequirements{ID: "1", Verify: func(context.Context, content.Source, content.Manifest) error { return ErrRefused }}, nil
		}
	})
	if response, _, err := s.send(http.MethodGet, "/v2/"+registryHost+"/team/app/manifests/1.0", nil); err != nil || response.StatusCode != http.StatusForbidden {
		t.Fatal(response, err)
	}
	s.handler.prepared.run.Wait()
	if n := u.urls.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestPrepareBound does not prepare more than it may, and forgets what has been prepared for too long.
func TestPrepareBound(t *testing.T) {
	t.Parallel()
	p := preparations{all: map[preparedKey]*preparation{}}
	key := func(i int) preparedKey { return preparedKey{&repository{name: fmt.Sprint(i)}, ""} }
	first := key(0)
	if !p.add(first) || p.add(first) {
		t.Error("the first blob is not prepared once")
	}
	for i := range maxPrepared - 1 {
		p.add(key(i))
	}
	if p.add(key(-1)) {
		t.Error("more than may be")
	}
	p.begin(first, 1000)
	for _, has := range p.all {
		has.at = has.at.Add(-preparedFor)
	}
	if !p.add(key(-1)) || len(p.all) != 1 {
		t.Errorf("%d are kept", len(p.all))
	}
	p.add(first)
	p.begin(first, 1000)
	p.all[first].at = p.all[first].at.Add(-preparedFor)
	if p.take(first) != nil {
		t.Error("what is too old is used")
	}
}
