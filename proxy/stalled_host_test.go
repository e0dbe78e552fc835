package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/registry"
)

// stalled is the registry that sends the beginning of each large manifest, and nothing more until its gate is closed.
const stalled = "127.0.0.1:5000"

// TestStalledHostRead has clients ask one registry for large manifests, which it does not send to their ends: clients of
// another registry wait for none of them.
func TestStalledHostRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStallingSite(t, nil)
		for i := range 12 {
			s.get(stalled, fmt.Sprintf("manifests/large%d", i))
			s.get(stalled, fmt.Sprintf("tags/list?n=%d", i+1))
		}
		synctest.Wait()
		s.wantOthers()
		s.end()
	})
}

// TestStalledHostVerified has one registry send no signature of large manifests, while those of others are verified.
func TestStalledHostVerified(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s := newStallingSite(t, func(_ context.Context, src content.Source, _ content.Manifest) error {
			if strings.Contains(fmt.Sprint(src), stalled) {
				<-gate
			}
			return nil
		})
		close(s.gate)
		for i := range 12 {
			s.get(stalled, fmt.Sprintf("manifests/large%d", i))
		}
		synctest.Wait()
		s.wantOthers()
		close(gate)
		s.run.Wait()
		s.wantAnswers()
	})
}

// TestStalledHostPushed pushes large manifests to a registry that does not answer: those to another one are stored.
func TestStalledHostPushed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStallingSite(t, nil)
		text := paddedManifest(content.MaxManifestSize)
		for i := range 12 {
			s.push(stalled, fmt.Sprint(i), text)
		}
		synctest.Wait()
		for i := range 3 {
			w := s.push("127.0.0.1:5001", fmt.Sprint(i), text)
			if synctest.Wait(); w.Code != http.StatusCreated || w.Body.Len() > 0 {
				t.Errorf("push to a registry that answers: status %d: %.200s", w.Code, w.Body)
			}
		}
		s.end()
	})
}

// stallingSite is a proxy before registries of which one is [stalled].
type stallingSite struct {
	*Handler
	t       *testing.T
	gate    chan struct{}
	run     sync.WaitGroup
	answers []*httptest.ResponseRecorder
}

func newStallingSite(t *testing.T, verify func(context.Context, content.Source, content.Manifest) error) *stallingSite {
	s := &stallingSite{t: t, gate: make(chan struct{})}
	cache, err := OpenCache(t.TempDir(), 256<<20)
	if err != nil {
		t.Fatal(err)
	}
	cache.free = func() (int64, error) { return 1 << 40, nil }
	options := Options{Allowed: func(string) bool { return true }, Push: true,
		Open: func(_ context.Context, host, repository string) (content.Source, error) {
			if repository == "pushed" {
				return memory.New(host), nil
			}
			return registry.New(host, repository, registry.Options{Transport: roundTripper(s.answer)})
		},
		BeforeTag: func(_ context.Context, host, _ string, _ content.Target, _ content.Manifest) error {
			if host == stalled {
				<-s.gate
			}
			return nil
		}}
	if verify != nil {
		options.Demand = func(context.Context, string, string) (ImageRequirements, error) {
			return ImageRequirements{"key", verify}, nil
		}
	}
	s.Handler = New(cache, options)
	t.Cleanup(func() { s.Close(); cache.Close() })
	return s
}

// answer is that of a registry.
func (s *stallingSite) answer(r *http.Request) (*http.Response, error) {
	text := "{}"
	switch name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]; {
	case name == "list":
		var tags []string
		for i := range 1000 {
			tags = append(tags, fmt.Sprintf("%0127d", i))
		}
		text = `{"name":"app","tags":["` + strings.Join(tags, `","`) + `"]}`
	case strings.HasPrefix(name, "large"):
		text = paddedManifest(smallManifest + 1 + len(name))
	case strings.HasPrefix(name, "sha256:"): // a manifest that is read again
		return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody, Request: r}, nil
	}
	header := http.Header{"Content-Type": {indexType}, "Docker-Content-Digest": {string(digest.FromString(text))}}
	answer := &http.Response{StatusCode: http.StatusOK, Header: header, ContentLength: int64(len(text)), Request: r, Body: io.NopCloser(strings.NewReader(text))}
	if r.URL.Host == stalled && len(text) > smallManifest {
		answer.Body = &stallingBody{strings.NewReader(text[:smallManifest+1]), strings.NewReader(text[smallManifest+1:]), s.gate}
	}
	return answer, nil
}

// stallingBody sends its rest when gate is closed.
type stallingBody struct {
	first, rest io.Reader
	gate        chan struct{}
}

func (b *stallingBody) Read(p []byte) (int, error) {
	if n, _ := b.first.Read(p); n > 0 {
		return n, nil
	}
	<-b.gate
	return b.rest.Read(p)
}

func (b *stallingBody) Close() error { return nil }

func (s *stallingSite) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.run.Go(func() { s.ServeHTTP(w, r) })
	return w
}

func (s *stallingSite) get(host, path string) *httptest.ResponseRecorder {
	w := s.serve(httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://127.0.0.1:4511/v2/"+strings.Replace(host, ":", "_", 1)+"/app/"+path, nil))
	s.answers = append(s.answers, w)
	return w
}

func (s *stallingSite) push(host, tag, text string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPut, "http://127.0.0.1:4511/v2/"+strings.Replace(host, ":", "_", 1)+"/pushed/manifests/"+tag, strings.NewReader(text))
	r.Header.Set("Content-Type", indexType)
	return s.serve(r)
}

// wantOthers asks registries that answer for large manifests and lists, which must come.
func (s *stallingSite) wantOthers() {
	s.t.Helper()
	for i, path := range []string{"manifests/large", "tags/list", "manifests/large-again"} {
		w := s.get(fmt.Sprintf("127.0.0.1:%d", 5001+i), path)
		if synctest.Wait(); w.Code != http.StatusOK || w.Body.Len() <= smallManifest {
			s.t.Errorf("%s of a registry that answers: status %d, %d bytes: %.200s", path, w.Code, w.Body.Len(), w.Body)
		}
	}
}

// end has the stalled registry go on, and checks that all is answered and all room given back.
func (s *stallingSite) end() {
	s.t.Helper()
	close(s.gate)
	s.run.Wait()
	s.wantAnswers()
}

func (s *stallingSite) wantAnswers() {
	s.t.Helper()
	for _, w := range s.answers {
		if w.Code != http.StatusOK || w.Body.Len() == 0 {
			s.t.Errorf("status %d, %d bytes: %.200s", w.Code, w.Body.Len(), w.Body)
		}
	}
	if !s.readRoom.large.TryAcquire(roomForLarge) || !s.pushedRoom.large.TryAcquire(roomForHosts) || !s.verifyRoom.large.TryAcquire(roomForHosts) {
		s.t.Error("not all room was given back")
	}
	if used, entries, _ := s.cache.usage(); entries > 0 && used > int64(entries)*2*smallManifest {
		s.t.Errorf("%d entries use %d bytes of the cache", entries, used)
	}
}
