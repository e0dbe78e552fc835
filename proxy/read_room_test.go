package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/registry"
)

// roundTripper is an [http.RoundTripper] of a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// gatedBody is the body of an answer whose first bytes come at once, and the others when gate is closed. inside counts the
// bodies that are read beyond the first bytes.
type gatedBody struct {
	io.Reader
	left   int64
	inside *atomic.Int64
	gate   chan struct{}
	once   sync.Once
}

func (b *gatedBody) Read(p []byte) (int, error) {
	if b.left > 0 {
		n, err := b.Reader.Read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(n)
		return n, err
	}
	b.once.Do(func() { b.inside.Add(1) })
	<-b.gate
	return b.Reader.Read(p)
}

func (b *gatedBody) Close() error { return nil }

// manifestReader is a proxy before a registry of large and small manifests, and of lists as large. Large ones stop in
// the middle until gate is closed.
type manifestReader struct {
	*Handler
	t      *testing.T
	inside atomic.Int64
	gate   chan struct{}
	run    sync.WaitGroup
}

func newManifestReader(t *testing.T, demand func(context.Context, content.Source, content.Manifest) error) *manifestReader {
	m := &manifestReader{t: t, gate: make(chan struct{})}
	host := "127.0.0.1:5000"
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		text := "{}"
		switch name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]; {
		case name == "list":
			text = `{"name":"app","tags":["` + strings.Repeat("a", 127) + strings.Repeat(`","`+strings.Repeat("a", 127), 1000) + `"]}`
		case strings.HasPrefix(name, "large"):
			text = paddedManifest(smallManifest + 1 + len(name))
		case r.URL.Path != "/v2/":
			text = paddedManifest(smallManifest - 1)
		}
		header := http.Header{"Content-Type": {indexType}, "Docker-Content-Digest": {string(digest.FromString(text))}}
		return &http.Response{StatusCode: http.StatusOK, Header: header, ContentLength: int64(len(text)), Request: r,
			Body: &gatedBody{Reader: strings.NewReader(text), left: smallManifest, inside: &m.inside, gate: m.gate}}, nil
	})
	cache, err := OpenCache(t.TempDir(), 256<<20)
	if err != nil {
		t.Fatal(err)
	}
	cache.free = func() (int64, error) { return 1 << 40, nil }
	options := Options{
		Allowed: func(string) bool { return true },
		Open: func(context.Context, string, string) (content.Source, error) {
			return registry.New(host, "app", registry.Options{Transport: transport})
		},
	}
	if demand != nil {
		options.Demand = func(context.Context, string, string) (ImageRequirements, error) {
			return ImageRequirements{"key", demand}, nil
		}
	}
	m.Handler = New(cache, options)
	t.Cleanup(func() { m.Close(); cache.Close() })
	return m
}

// get asks for a path. The answer is there after run.
func (m *manifestReader) get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(m.t.Context(), http.MethodGet, "http://127.0.0.1:4511/v2/127.0.0.1_5000/app/"+path, nil)
	m.run.Go(func() { m.ServeHTTP(w, r) })
	return w
}

// TestManyManifestsRead has many clients ask for large manifests at once, while the registry is slow: no more come than
// are kept in files, and they take no room. None is read into memory without room, small ones wait for no large one, and
// all are answered in the end.
func TestManyManifestsRead(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"manifests": "manifests/large%d", "lists": "tags/list?n=%d"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newManifestReader(t, nil)
				var answers []*httptest.ResponseRecorder
				for i := range 12 {
					answers = append(answers, m.get(fmt.Sprintf(path, i+1)))
				}
				synctest.Wait()
				if n := m.inside.Load(); n != maxSpools {
					t.Errorf("%d large answers come at once", n)
				}
				if !m.readRoom.large.TryAcquire(roomForLarge) {
					t.Error("an answer has room before it is complete")
				}
				small := m.get("manifests/small")
				if synctest.Wait(); small.Code != http.StatusOK || small.Body.Len() != smallManifest-1 {
					t.Errorf("a small manifest that waits for no large one: status %d: %.200s", small.Code, small.Body)
				}
				close(m.gate)
				time.Sleep(roomPatience / 2)
				synctest.Wait()
				for _, w := range answers {
					if w.Body.Len() > 0 {
						t.Errorf("answered without room: status %d: %.200s", w.Code, w.Body)
					}
				}
				m.readRoom.large.Release(roomForLarge)
				m.run.Wait()
				for _, w := range answers {
					if w.Code != http.StatusOK {
						t.Errorf("status %d: %.200s", w.Code, w.Body)
					}
				}
				if err := m.readRoom.large.Acquire(t.Context(), roomForLarge); err != nil {
					t.Errorf("not all room was given back: %v", err)
				}
			})
		})
	}
}

// TestNoRoomToRead has more clients ask for large manifests than there is room for, while the registry sends nothing for
// minutes: after one they are asked to try again.
func TestNoRoomToRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newManifestReader(t, nil)
		for i := range maxSpools {
			m.get(fmt.Sprintf("manifests/large%d", i))
		}
		synctest.Wait()
		late := m.get("manifests/large-late")
		time.Sleep(roomPatience)
		synctest.Wait()
		if late.Code != http.StatusTooManyRequests || late.Header().Get("Retry-After") != "30" || !strings.Contains(late.Body.String(), "TOOMANYREQUESTS") {
			t.Errorf("status %d, %v: %.300s", late.Code, late.Header(), late.Body)
		}
		close(m.gate)
		m.run.Wait()
	})
}

// TestManyManifestsVerified has many clients ask for large manifests whose verification is slow. What it reads has room
// of its own, so it cannot wait for the requests that wait for it.
func TestManyManifestsVerified(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var verifying, most atomic.Int64
		m := newManifestReader(t, func(ctx context.Context, src content.Source, of content.Manifest) error {
			most.Store(max(most.Load(), verifying.Add(1)))
			defer verifying.Add(-1)
			time.Sleep(time.Second)
			_, err := src.Resolve(ctx, "large-signature-of-"+of.Descriptor.Digest.Encoded()[:8])
			return err
		})
		close(m.gate)
		var answers []*httptest.ResponseRecorder
		for i := range 12 {
			answers = append(answers, m.get("manifests/large"+strings.Repeat("x", i)))
		}
		m.run.Wait()
		for _, w := range answers {
			if w.Code != http.StatusOK {
				t.Errorf("status %d: %.200s", w.Code, w.Body)
			}
		}
		if n := most.Load(); n != roomForLarge/content.MaxManifestSize {
			t.Errorf("%d large manifests were verified at once", n)
		}
	})
}

// TestLargeManifestsOfCache has many clients ask for large manifests that the cache has, under a policy that the proxy
// verifies again: no more are in memory than there is room for.
func TestLargeManifestsOfCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newManifestReader(t, nil)
		close(m.gate)
		var paths []string
		for i := range 12 {
			w := m.get("manifests/large" + strings.Repeat("x", i))
			m.run.Wait()
			paths = append(paths, "manifests/"+w.Header().Get("Docker-Content-Digest"))
		}
		if err := m.readRoom.large.Acquire(t.Context(), roomForLarge); err != nil {
			t.Fatal(err)
		}
		first := m.get(paths[0])
		synctest.Wait()
		m.readRoom.large.Release(roomForLarge)
		m.run.Wait()
		if first.Code != http.StatusOK {
			t.Errorf("status %d: %.200s", first.Code, first.Body)
		}
		var answers []*httptest.ResponseRecorder
		for _, path := range paths {
			answers = append(answers, m.get(path))
		}
		m.run.Wait()
		for _, w := range answers {
			if w.Code != http.StatusOK || w.Body.Len() <= smallManifest {
				t.Errorf("status %d: %.200s", w.Code, w.Body)
			}
		}
	})
}
