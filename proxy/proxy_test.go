package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const registryHost = "registry.example"

// upstream is a repository with one blob and one manifest.
type upstream struct {
	blob     []byte
	wrong    bool          // send other bytes
	noRanges bool          // send whole blobs only
	gate     chan struct{} // nil, or closed when bytes may come
	manifest content.Manifest

	mu       sync.Mutex
	resolved int
	stats    int
	down     error // nil, or what each request ends with
	sent     int64
	waiting  chan struct{} // gets one for each range that comes to the gate
	ended    chan struct{} // gets one for each range whose context ended at the gate
}

func (u *upstream) String() string { return registryHost + "/team/app" }

func (u *upstream) Resolve(_ context.Context, reference string) (content.Manifest, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.resolved++
	if u.down != nil {
		return content.Manifest{}, u.down
	}
	if reference != "1.0" && reference != string(u.manifest.Descriptor.Digest) {
		return content.Manifest{}, content.ErrNotFound
	}
	return u.manifest, nil
}

func (u *upstream) Manifests(context.Context, []content.Descriptor) ([]content.Manifest, error) {
	return nil, errors.New("not asked for")
}

func (u *upstream) StatBlob(_ context.Context, d digest.Digest) (content.Descriptor, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stats++
	if u.down != nil {
		return content.Descriptor{}, u.down
	}
	if d != digest.FromBytes(u.blob) {
		return content.Descriptor{}, content.ErrNotFound
	}
	return content.Descriptor{Digest: d, Size: int64(len(u.blob))}, nil
}

func (u *upstream) part(first, n int64) io.ReadCloser {
	data := bytes.Clone(u.blob[first : first+n])
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.wrong {
		data[0]++
	}
	u.sent += n
	return io.NopCloser(bytes.NewReader(data))
}

func (u *upstream) Blob(context.Context, content.Descriptor) (io.ReadCloser, error) {
	return u.part(0, int64(len(u.blob))), nil
}

func (u *upstream) Ranges(context.Context, content.Descriptor) (content.RangeOpener, error) {
	return func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
		if u.noRanges {
			return nil, content.ErrNoRanges
		}
		if u.gate != nil && first > 0 {
			select {
			case u.waiting <- struct{}{}:
			default:
			}
			select {
			case <-u.gate:
			case <-ctx.Done():
				select {
				case u.ended <- struct{}{}:
				default:
				}
				return nil, content.Permanent(ctx.Err())
			}
		}
		return u.part(first, n), nil
	}, nil
}

func (u *upstream) Tags(context.Context) ([]string, error) { return []string{"1.0", "1.1", "2.0"}, nil }

func newUpstream(size int) *upstream {
	blob := make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(blob)
	d := digest.FromBytes(blob)
	data, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": d, "size": size}, "layers": []any{},
	})
	if err != nil {
		panic(err)
	}
	return &upstream{blob: blob, waiting: make(chan struct{}, 100), ended: make(chan struct{}, 100), manifest: content.Manifest{Content: data, Descriptor: content.Descriptor{
		MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: digest.FromBytes(data), Size: int64(len(data)),
	}}}
}

func (u *upstream) path() string {
	return "/v2/" + registryHost + "/team/app/blobs/" + string(digest.FromBytes(u.blob))
}

// site is a proxy before an upstream.
type site struct {
	*httptest.Server
	t       *testing.T
	dir     string
	cache   *Cache
	handler *Handler
}

func start(t *testing.T, u content.Source, dir string, size int64, change ...func(*Options)) *site {
	cache, err := OpenCache(dir, size)
	if err != nil {
		t.Fatal(err)
	}
	cache.free = func() (int64, error) { return 1 << 40, nil } // whatever else is on this disk
	options := Options{
		Allowed: func(host string) bool { return host == registryHost },
		Open: func(_ context.Context, host, repository string) (content.Source, error) {
			if host != registryHost || repository != "team/app" {
				return nil, content.ErrNotFound
			}
			return u, nil
		},
	}
	for _, f := range change {
		f(&options)
	}
	handler := New(cache, options)
	s := &site{httptest.NewServer(handler), t, dir, cache, handler}
	t.Cleanup(s.stop)
	return s
}

// stop ends the proxy, which may be started again with the same directory.
func (s *site) stop() {
	s.Server.Close()
	s.handler.Close()
	s.cache.Close()
}

// send sends a request. err is that of the body.
func (s *site) send(method, path string, header map[string]string) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, nil)
	if err != nil {
		s.t.Error(err)
		return nil, nil, err
	}
	for name, value := range header {
		if name == "Host" {
			request.Host = value
		}
		request.Header.Set(name, value)
	}
	response, err := s.Client().Do(request)
	if err != nil {
		s.t.Error(err)
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, body, err
}

// awaitMetric waits until the metrics have the line: a request is counted after its answer.
func (s *site) awaitMetric(line string) {
	s.t.Helper()
	var body []byte
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		if _, body, _ = s.send(http.MethodGet, "/metrics", nil); bytes.Contains(body, []byte("\n"+line+"\n")) {
			return
		}
	}
	s.t.Errorf("no %q in the metrics:\n%s", line, body)
}

// stored counts the bytes in the directories of a cache.
func stored(t *testing.T, dir string) (sum int64) {
	for _, sub := range []string{blobsDir, partialDir} {
		left, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range left {
			info, err := f.Info()
			if err != nil {
				t.Fatal(err)
			}
			sum += info.Size()
		}
	}
	return sum
}

func TestManifests(t *testing.T) {
	t.Parallel()
	u := newUpstream(100)
	s := start(t, u, t.TempDir(), 1<<20)
	d := string(u.manifest.Descriptor.Digest)
	for _, path := range []string{"/v2/registry.example/team/app/manifests/1.0", "/v2/team/app/manifests/1.0?ns=registry.example", "/v2/registry.example/team/app/manifests/" + d} {
		for _, method := range []string{http.MethodHead, http.MethodGet} {
			r, body, err := s.send(method, path, map[string]string{"Authorization": "Basic c2VjcmV0"})
			if err != nil || r.StatusCode != http.StatusOK || r.Header.Get("Docker-Content-Digest") != d || r.Header.Get("ETag") != `"`+d+`"` ||
				r.ContentLength != u.manifest.Descriptor.Size || r.Header.Get("Content-Type") != u.manifest.Descriptor.MediaType {
				t.Errorf("%s %s: %s %v %v", method, path, r.Status, r.Header, err)
			}
			if method == http.MethodGet && !bytes.Equal(body, u.manifest.Content) {
				t.Errorf("%s: other bytes", path)
			}
		}
	}
	if u.resolved != 4 {
		t.Errorf("the registry was asked %d times, want once for each of 4 requests by tag", u.resolved)
	}
	if r, _, _ := s.send(http.MethodGet, "/v2/registry.example/team/app/manifests/"+d, map[string]string{"If-None-Match": `"` + d + `"`}); r.StatusCode != http.StatusNotModified {
		t.Errorf("If-None-Match: %s", r.Status)
	}
	r, body, _ := s.send(http.MethodGet, "/v2/registry.example/team/app/tags/list?n=1&last=1.0", nil)
	if want := `{"name":"registry.example/team/app","tags":["1.1"]}`; string(body) != want || r.Header.Get("Link") == "" {
		t.Errorf("tags: %s, Link %q", body, r.Header.Get("Link"))
	}
}

// TestBlobs reads a blob whole and by ranges, before and after it is in the cache.
func TestBlobs(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"one byte": 1, "held back": heldBack, "several ranges": 5<<20 + 1} {
		for _, noRanges := range []bool{false, true} {
			u := newUpstream(size)
			u.noRanges = noRanges
			s := start(t, u, t.TempDir(), 16<<20)
			for range 2 {
				r, body, err := s.send(http.MethodGet, u.path(), nil)
				if err != nil || r.StatusCode != http.StatusOK || !bytes.Equal(body, u.blob) || r.ContentLength != int64(size) {
					t.Fatalf("%s: %s, %d bytes, %v", name, r.Status, len(body), err)
				}
			}
			if u.sent != int64(size) {
				t.Errorf("%s: the registry sent %d bytes of %d", name, u.sent, size)
			}
			r, body, _ := s.send(http.MethodGet, u.path(), map[string]string{"Range": "bytes=0-0"})
			if r.StatusCode != http.StatusPartialContent || !bytes.Equal(body, u.blob[:1]) {
				t.Errorf("%s: a range: %s", name, r.Status)
			}
			if r, _, _ := s.send(http.MethodGet, u.path(), map[string]string{"Range": "bytes=99999999-"}); r.StatusCode != http.StatusRequestedRangeNotSatisfiable {
				t.Errorf("%s: a range behind the end: %s", name, r.Status)
			}
		}
	}
}

func TestHundredClients(t *testing.T) {
	t.Parallel()
	u := newUpstream(1<<20 + 1<<16)
	u.gate = make(chan struct{})
	s := start(t, u, t.TempDir(), 16<<20)
	var clients sync.WaitGroup
	for i := range 100 {
		clients.Go(func() {
			if _, body, err := s.send(http.MethodGet, u.path(), nil); err != nil || !bytes.Equal(body, u.blob) {
				t.Errorf("client %d: %d bytes, %v", i, len(body), err)
			}
		})
	}
	close(u.gate)
	clients.Wait()
	if u.sent != int64(len(u.blob)) {
		t.Errorf("the registry sent %d bytes of %d", u.sent, len(u.blob))
	}
}

// TestWrongBytes has the registry send another blob: no client completes it, and it is not kept.
func TestWrongBytes(t *testing.T) {
	t.Parallel()
	for _, cacheSize := range []int64{16 << 20, 10} {
		for _, size := range []int{10, 5 << 20} {
			u := newUpstream(size)
			u.wrong = true
			s := start(t, u, t.TempDir(), cacheSize)
			response, body, err := s.send(http.MethodGet, u.path(), nil)
			if err == nil && response.StatusCode == http.StatusOK || len(body) == size {
				t.Errorf("%d bytes with room for %d: %s, %d bytes, %v", size, cacheSize, response.Status, len(body), err)
			}
			if _, err := s.cache.open(t.Context(), digest.FromBytes(u.blob)); !errors.Is(err, content.ErrNotFound) {
				t.Errorf("%d bytes with room for %d: it is kept: %v", size, cacheSize, err)
			}
		}
	}
}

// TestNoRoom passes a blob on that the cache cannot keep.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	u := newUpstream(5 << 20)
	s := start(t, u, t.TempDir(), 1<<20)
	if _, body, err := s.send(http.MethodGet, u.path(), nil); err != nil || !bytes.Equal(body, u.blob) {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if n := stored(t, s.dir); n != 0 {
		t.Errorf("%d bytes are kept", n)
	}
}

// TestAborted has the only client go away: the fetch ends, leaves nothing, and the next client succeeds.
func TestAborted(t *testing.T) {
	t.Parallel()
	u := newUpstream(5 << 20)
	u.gate = make(chan struct{})
	s := start(t, u, t.TempDir(), 16<<20)
	s.handler.fetchPatience = 0
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+u.path(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(response.Body, make([]byte, 1000)); err != nil {
		t.Error(err)
	}
	<-u.waiting
	cancel()
	response.Body.Close()
	<-u.ended
	close(u.gate)
	if _, body, err := s.send(http.MethodGet, u.path(), nil); err != nil || !bytes.Equal(body, u.blob) {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

// TestChunks reads a blob as containerd 2 does: by requests to the end of it, each of which ends after some
// bytes, before the next one. The registry sends each byte once.
func TestChunks(t *testing.T) {
	t.Parallel()
	u := newUpstream(5 << 20)
	u.gate = make(chan struct{}) // the first chunk is read while others are missing
	s := start(t, u, t.TempDir(), 16<<20)
	s.handler.fetchPatience = time.Hour // a busy machine may take long between two chunks
	var got []byte
	for len(got) < len(u.blob) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+u.path(), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", len(got)))
		response, err := s.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		chunk := make([]byte, min(1<<19, len(u.blob)-len(got)))
		if _, err := io.ReadFull(response.Body, chunk); err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		for _, clients := s.handler.following(); clients > 0; _, clients = s.handler.following() {
			time.Sleep(time.Millisecond)
		}
		if len(got) == 0 {
			close(u.gate)
		}
		got = append(got, chunk...)
	}
	if !bytes.Equal(got, u.blob) || u.sent != int64(len(u.blob)) {
		t.Errorf("the registry sent %d bytes of %d; right: %t", u.sent, len(u.blob), bytes.Equal(got, u.blob))
	}
}

// TestRestart damages the cache between two processes.
func TestRestart(t *testing.T) {
	t.Parallel()
	u, dir := newUpstream(5<<20), t.TempDir()
	d := digest.FromBytes(u.blob)
	cache, err := OpenCache(dir, 16<<20)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(u.blob)
	damaged[len(damaged)/2]++
	for path, data := range map[string][]byte{cache.path(d): damaged, filepath.Join(dir, partialDir, "17"): []byte("x")} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenCache(dir, 1); err == nil {
		t.Error("two processes have the cache")
	}
	cache.Close()
	s := start(t, u, dir, 16<<20)
	for range 2 {
		if _, body, err := s.send(http.MethodGet, u.path(), nil); err != nil || !bytes.Equal(body, u.blob) {
			t.Errorf("%d bytes, %v", len(body), err)
		}
	}
	s.handler.fetches.run.Wait() // the file is moved after the client has its bytes
	if n := stored(t, dir); u.sent != int64(len(u.blob)) || n != int64(len(u.blob)) {
		t.Errorf("the registry sent %d bytes, %d are kept", u.sent, n)
	}
}

// TestLeastRecentlyUsed fills a cache with more than it keeps.
func TestLeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache, err := OpenCache(dir, 25)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	var all []digest.Digest
	for _, text := range []string{"0123456789", "abcdefghij", "ABCDEFGHIJ"} {
		if len(all) == 2 { // the first is used again
			f, err := cache.open(t.Context(), all[0])
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
		d := digest.FromString(text)
		all = append(all, d)
		p, err := cache.create(content.Descriptor{Digest: d, Size: 10}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.WriteAt([]byte(text), 0); err != nil {
			t.Fatal(err)
		}
		if n := stored(t, dir); n > 25 {
			t.Errorf("%d bytes of at most 25", n)
		}
		if err := p.commit(); err != nil {
			t.Fatal(err)
		}
	}
	if cache.entries[all[0]] == nil || cache.entries[all[1]] != nil || cache.entries[all[2]] == nil {
		t.Error("another than the second was removed")
	}
}
