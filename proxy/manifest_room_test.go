package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const indexType = "application/vnd.oci.image.index.v1+json"

// paddedManifest is a manifest of size bytes.
func paddedManifest(size int) string {
	text := `{"schemaVersion":2,"mediaType":"` + indexType + `","manifests":[]`
	return text + strings.Repeat(" ", size-len(text)-1) + "}"
}

// counted is a body that notes how many bytes of all bodies were read.
type counted struct {
	io.Reader
	read *atomic.Int64
}

func (b counted) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read.Add(int64(n))
	return n, err
}

// manifestPusher is a proxy to which many manifests are pushed at once. Its registry answers for large ones when gate is
// closed.
type manifestPusher struct {
	*pushSite
	read atomic.Int64
	gate chan struct{}
	run  sync.WaitGroup
	tags int
}

func newManifestPusher(t *testing.T) *manifestPusher {
	p := &manifestPusher{pushSite: newPushSite(t), gate: make(chan struct{})}
	p.before = func(_ string, image content.Manifest) error {
		if image.Descriptor.Size > smallManifest {
			<-p.gate
		}
		return nil
	}
	return p
}

// push sends a manifest, of which the length may be unknown. The answer is there after run.
func (p *manifestPusher) push(text string, unknown bool) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.tags++
	r := httptest.NewRequestWithContext(p.t.Context(), http.MethodPut, fmt.Sprintf("http://127.0.0.1:4511%s/manifests/%d", app, p.tags), counted{strings.NewReader(text), &p.read})
	r.Header.Set("Content-Type", indexType)
	if r.ContentLength = int64(len(text)); unknown {
		r.ContentLength = -1
	}
	p.run.Go(func() { p.ServeHTTP(w, r) })
	return w
}

// TestManyManifests pushes many manifests at once while the registry does not answer: no more are read than there is room
// for, small ones wait for no large one, and all are stored when the registry answers.
func TestManyManifests(t *testing.T) {
	t.Parallel()
	const size = smallManifest + 1
	for name, c := range map[string]struct {
		unknown bool
		room    int64
	}{"known length": {false, 3 * size}, "unknown length": {true, 3 * content.MaxManifestSize}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newManifestPusher(t)
				p.pushedRoom.large, p.pushedRoom.perHost = semaphore.NewWeighted(c.room), c.room
				text := paddedManifest(size)
				var answers []*httptest.ResponseRecorder
				for range 7 {
					answers = append(answers, p.push(text, c.unknown))
				}
				synctest.Wait()
				if n := p.read.Load(); n != 3*size {
					t.Errorf("%d bytes of manifests were read at once; want %d", n, 3*size)
				}
				small := p.push(paddedManifest(smallManifest), false)
				if synctest.Wait(); small.Code != http.StatusCreated || small.Body.Len() > 0 {
					t.Errorf("a small manifest that waits for no large one: status %d: %s", small.Code, small.Body)
				}
				close(p.gate)
				p.run.Wait()
				for _, w := range answers {
					if w.Code != http.StatusCreated {
						t.Errorf("status %d: %.200s", w.Code, w.Body)
					}
				}
			})
		})
	}
}

// TestNoRoomForManifest pushes more manifests than there is room for, while the registry does not answer for minutes:
// after a while clients are asked to try again, and what has room goes on.
func TestNoRoomForManifest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newManifestPusher(t)
		const size = smallManifest + 1
		p.pushedRoom.large = semaphore.NewWeighted(2*size + size/2)
		text := paddedManifest(size)
		var answers []*httptest.ResponseRecorder
		for range 2 {
			answers = append(answers, p.push(text, false))
		}
		synctest.Wait()
		late := p.push(text, false)
		time.Sleep(roomPatience)
		synctest.Wait()
		if late.Code != http.StatusTooManyRequests || late.Header().Get("Retry-After") != "30" || !strings.Contains(late.Body.String(), "TOOMANYREQUESTS") {
			t.Errorf("status %d, %v: %s", late.Code, late.Header(), late.Body)
		}
		if n := p.read.Load(); n != 3*size {
			t.Errorf("%d bytes were read: a client that still sends does not read the answer", n)
		}
		close(p.gate)
		p.run.Wait()
		answers = append(answers, p.push(text, false))
		p.run.Wait()
		for _, w := range answers {
			if w.Code != http.StatusCreated {
				t.Errorf("status %d: %.200s", w.Code, w.Body)
			}
		}
	})
}

// TestLargeManifestFromFile has a client take a large manifest slowly: it stays in the cache's file, and not in memory.
func TestLargeManifestFromFile(t *testing.T) {
	t.Parallel()
	u := newUpstream(10)
	text := paddedManifest(smallManifest + 1)
	u.manifest = content.Manifest{Descriptor: content.Descriptor{MediaType: indexType, Digest: digest.FromString(text), Size: int64(len(text))}, Content: []byte(text)}
	s := start(t, u, t.TempDir(), 64<<20)
	for _, reference := range []string{"1.0", string(u.manifest.Descriptor.Digest), "1.0"} {
		w := &fromFile{ResponseRecorder: httptest.NewRecorder()}
		s.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:4511/v2/registry.example/team/app/manifests/"+reference, nil))
		if w.Code != http.StatusOK || w.Body.String() != text || w.Header().Get("Content-Type") != indexType || w.Header().Get("Docker-Content-Digest") != string(u.manifest.Descriptor.Digest) {
			t.Errorf("%s: status %d, %v, %d bytes", reference, w.Code, w.Header(), w.Body.Len())
		}
		if !w.file {
			t.Errorf("%s: the manifest is answered from memory", reference)
		}
	}
}

// fromFile notes whether it gets the bytes of a file.
type fromFile struct {
	*httptest.ResponseRecorder
	file bool
}

func (w *fromFile) ReadFrom(src io.Reader) (int64, error) {
	if part, ok := src.(*io.LimitedReader); ok {
		_, w.file = part.R.(*os.File)
	}
	return io.Copy(w.ResponseRecorder, src)
}
