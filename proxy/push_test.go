package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/test/memory"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// writable are repositories in memory that are pushed to.
type writable struct {
	mu    sync.Mutex
	named map[string]*mounting
}

// mounting is a repository that mounts blobs of others.
type mounting struct {
	*memory.Store
	missing bool // the repository does not exist
}

func (m *mounting) StatBlob(ctx context.Context, d digest.Digest) (content.Descriptor, error) {
	missing, err := m.MissingBlobs(ctx, []content.Descriptor{{Digest: d}})
	if err == nil && len(missing) > 0 {
		err = content.ErrNotFound
	}
	return content.Descriptor{Digest: d, Size: 5}, err
}

func (m *mounting) MountBlob(ctx context.Context, d digest.Digest, from content.Source) (bool, error) {
	r, err := from.Blob(ctx, content.Descriptor{Digest: d})
	if err != nil {
		return false, nil
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return false, err
	}
	return true, m.PutBlob(ctx, content.Descriptor{Digest: d, Size: int64(len(data))}, strings.NewReader(string(data)))
}

func (m *mounting) CheckRepository() error {
	if m.missing {
		return fmt.Errorf("repository %s: %w", m, content.ErrNotFound)
	}
	return nil
}

func (w *writable) open(_ context.Context, host, repository string) (content.Source, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := host + "/" + repository
	if w.named[name] == nil {
		w.named[name] = &mounting{Store: memory.New(name), missing: repository == "missing"}
	}
	return w.named[name], nil
}

// pushSite is a proxy that can be pushed to.
type pushSite struct {
	*Handler
	t      *testing.T
	stores *writable
	before func(repository string, image content.Manifest) error
}

func newPushSite(t *testing.T) *pushSite {
	cache, err := OpenCache(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	s := &pushSite{t: t, stores: &writable{named: map[string]*mounting{}}}
	s.Handler = New(cache, Options{
		Allowed: func(host string) bool { return host == registryHost || host == "127.0.0.1:4510" }, Open: s.stores.open, Push: true,
		BeforeTag: func(_ context.Context, _, repository string, dst content.Target, image content.Manifest) error {
			if s.before != nil {
				return s.before(repository, image)
			}
			return nil
		},
	})
	t.Cleanup(func() { s.Close(); cache.Close() })
	return s
}

// do sends a request with a body and headers, and checks the status.
func (s *pushSite) do(want int, method, path, body string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, "http://127.0.0.1:4511"+path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != want {
		s.t.Errorf("%s %s: status %d, want %d: %s", method, path, w.Code, want, w.Body)
	}
	return w
}

const (
	app       = "/v2/" + registryHost + "/team/app"
	imageType = "application/vnd.oci.image.manifest.v1+json"
)

// TestPush pushes a blob in each way that the specification has, and a manifest.
func TestPush(t *testing.T) {
	t.Parallel()
	d := string(digest.FromString("hello"))
	for _, form := range []struct{ name, base, query, more string }{
		{"by name", app, "", "?"}, {"by name and port", "/v2/127.0.0.1_4510/team/app", "", "?"}, {"mirror", "/v2/team/app", "?ns=" + registryHost, "&"},
	} {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			s := newPushSite(t)
			uploads := form.base + "/blobs/uploads/" + form.query
			s.do(http.StatusNotFound, "HEAD", form.base+"/blobs/"+d+form.query, "")
			// docker, podman and crane: POST, PATCH, PUT.
			at := s.do(http.StatusAccepted, "POST", uploads, "").Header().Get("Location")
			more := form.more
			w := s.do(http.StatusAccepted, "PATCH", at, "hel", "Content-Range", "0-2")
			if got := w.Header().Get("Range"); got != "0-2" || w.Header().Get("Location") != at {
				t.Errorf("the range is %q at %q", got, w.Header().Get("Location"))
			}
			w = s.do(http.StatusRequestedRangeNotSatisfiable, "PATCH", at, "lo", "Content-Range", "2-3")
			if got := w.Header().Get("Range"); got != "0-2" {
				t.Errorf("the range is %q", got)
			}
			s.do(http.StatusAccepted, "PATCH", at, "l", "Content-Range", "3-3")
			s.do(http.StatusNoContent, "GET", at, "")
			w = s.do(http.StatusCreated, "PUT", at+more+"digest="+d, "o")
			if w.Header().Get("Docker-Content-Digest") != d || w.Header().Get("Location") != form.base+"/blobs/"+d+form.query {
				t.Errorf("the answer is %v", w.Header())
			}
			s.do(http.StatusNotFound, "PUT", at+more+"digest="+d, "")
			w = s.do(http.StatusOK, "HEAD", form.base+"/blobs/"+d+form.query, "")
			if w.Header().Get("Content-Length") != "5" {
				t.Errorf("the length is %s", w.Header().Get("Content-Length"))
			}
			// One POST, and POST with PUT.
			two := string(digest.FromString("two"))
			s.do(http.StatusCreated, "POST", uploads+more+"digest="+two, "two")
			at = s.do(http.StatusAccepted, "POST", uploads, "").Header().Get("Location")
			s.do(http.StatusCreated, "PUT", at+more+"digest="+two, "two")

			manifest := `{"schemaVersion":2,"mediaType":"` + imageType + `","config":{"mediaType":"x/y","digest":"` + d + `","size":5},"layers":[],"subject":{"mediaType":"` + imageType + `","digest":"` + two + `","size":3}}`
			m := string(digest.FromString(manifest))
			w = s.do(http.StatusCreated, "PUT", form.base+"/manifests/1.0"+form.query, manifest, "Content-Type", imageType)
			if w.Header().Get("Docker-Content-Digest") != m || w.Header().Get("OCI-Subject") != two {
				t.Errorf("the answer is %v", w.Header())
			}
			s.do(http.StatusCreated, "PUT", form.base+"/manifests/"+m+form.query, manifest, "Content-Type", imageType)
			if got := s.do(http.StatusOK, "GET", form.base+"/manifests/1.0"+form.query, "").Body.String(); got != manifest {
				t.Errorf("the manifest is %s", got)
			}
			if len(s.uploads.all) != 0 {
				t.Errorf("%d uploads are left", len(s.uploads.all))
			}
		})
	}
}

// TestPushMount mounts a blob from a repository that the client names as it names the other.
func TestPushMount(t *testing.T) {
	t.Parallel()
	s := newPushSite(t)
	d := string(digest.FromString("hello"))
	s.do(http.StatusCreated, "POST", app+"/blobs/uploads/?digest="+d, "hello")
	other := "/v2/" + registryHost + "/other/blobs/uploads/?mount=" + d + "&from="
	s.do(http.StatusAccepted, "POST", other+"docker.io/team/app", "")
	s.do(http.StatusAccepted, "POST", other+registryHost+"/absent", "")
	s.do(http.StatusAccepted, "POST", other, "")
	w := s.do(http.StatusCreated, "POST", other+registryHost+"/team/app", "")
	if w.Header().Get("Docker-Content-Digest") != d {
		t.Errorf("the answer is %v", w.Header())
	}
	s.do(http.StatusOK, "HEAD", "/v2/"+registryHost+"/other/blobs/"+d, "")
	s.do(http.StatusCreated, "POST", "/v2/third/blobs/uploads/?ns="+registryHost+"&from=team/app&mount="+d, "")
}

// TestPushRefused checks what a client gets for what it must not send, and that nothing of it
// is stored or kept.
func TestPushRefused(t *testing.T) {
	t.Parallel()
	s := newPushSite(t)
	d := string(digest.FromString("hello"))
	refused := func(status int, code, method, path, body string, header ...string) {
		t.Helper()
		if w := s.do(status, method, path, body, header...); !strings.Contains(w.Body.String(), `"code":"`+code+`"`) {
			t.Errorf("%s %s: the answer is %s; want code %s", method, path, w.Body, code)
		}
	}
	uploads := app + "/blobs/uploads/"
	refused(http.StatusForbidden, "DENIED", "POST", uploads, "", "Origin", "https://evil.example")
	refused(http.StatusForbidden, "DENIED", "POST", "/v2/evil.example/app/blobs/uploads/", "")
	refused(http.StatusNotFound, "NAME_UNKNOWN", "POST", "/v2/"+registryHost+"/missing/blobs/uploads/", "")
	refused(http.StatusMethodNotAllowed, "UNSUPPORTED", "PUT", uploads, "")
	refused(http.StatusMethodNotAllowed, "UNSUPPORTED", "DELETE", app+"/manifests/1.0", "")
	refused(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "PATCH", uploads+"no-such-upload", "x")
	refused(http.StatusBadRequest, "DIGEST_INVALID", "POST", uploads+"?digest="+d, "other")
	refused(http.StatusBadRequest, "DIGEST_INVALID", "POST", uploads+"?digest=md5:00", "other")
	refused(http.StatusBadRequest, "DIGEST_INVALID", "POST", uploads+"?mount=x&from=y", "")
	at := s.do(http.StatusAccepted, "POST", uploads, "").Header().Get("Location")
	refused(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "PATCH", strings.Replace(at, "team/app", "team/b", 1), "x")
	refused(http.StatusBadRequest, "DIGEST_INVALID", "PUT", at, "hello")
	refused(http.StatusMethodNotAllowed, "UNSUPPORTED", "POST", at, "hello")
	refused(http.StatusBadRequest, "DIGEST_INVALID", "PUT", at+"?digest="+d, "other")
	refused(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "PUT", at+"?digest="+d, "hello")
	at = s.do(http.StatusAccepted, "POST", uploads, "").Header().Get("Location")
	s.do(http.StatusNoContent, "DELETE", at, "")
	refused(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "PUT", at+"?digest="+d, "hello")
	s.do(http.StatusNotFound, "HEAD", app+"/blobs/"+d, "")

	refused(http.StatusBadRequest, "MANIFEST_INVALID", "PUT", app+"/manifests/1.0", "{", "Content-Type", imageType)
	refused(http.StatusBadRequest, "DIGEST_INVALID", "PUT", app+"/manifests/"+d, "{}", "Content-Type", imageType)
	refused(http.StatusRequestEntityTooLarge, "MANIFEST_INVALID", "PUT", app+"/manifests/1.0", strings.Repeat(" ", content.MaxManifestSize+1), "Content-Type", imageType)
	s.before = func(string, content.Manifest) error { return errors.New("the key is not there") }
	manifest := `{"schemaVersion":2,"mediaType":"` + imageType + `","config":{"mediaType":"x/y","digest":"` + d + `","size":5},"layers":[]}`
	refused(http.StatusServiceUnavailable, "DENIED", "PUT", app+"/manifests/1.0", manifest, "Content-Type", imageType)
	// A signature that is missing is no repository that does not exist.
	s.before = func(string, content.Manifest) error { return fmt.Errorf("signature: %w", content.ErrNotFound) }
	refused(http.StatusServiceUnavailable, "DENIED", "PUT", app+"/manifests/1.0", manifest, "Content-Type", imageType)
	s.before = func(string, content.Manifest) error { return fmt.Errorf("%w: not signed", ErrRefused) }
	refused(http.StatusForbidden, "DENIED", "PUT", app+"/manifests/1.0", manifest, "Content-Type", imageType)
	s.before = func(string, content.Manifest) error { return &content.ConflictError{Image: "the tag of the signature"} }
	refused(http.StatusBadRequest, "TAG_INVALID", "PUT", app+"/manifests/1.0", manifest, "Content-Type", imageType)
	s.do(http.StatusNotFound, "HEAD", app+"/manifests/1.0", "")
	if len(s.uploads.all) != 0 {
		t.Errorf("%d uploads are left", len(s.uploads.all))
	}

	for range maxUploads {
		s.do(http.StatusAccepted, "POST", uploads, "")
	}
	refused(http.StatusTooManyRequests, "TOOMANYREQUESTS", "POST", uploads, "")

	s.options.Push = false
	refused(http.StatusMethodNotAllowed, "UNSUPPORTED", "POST", uploads, "")
	refused(http.StatusMethodNotAllowed, "UNSUPPORTED", "PUT", app+"/manifests/1.0", manifest)
}

// TestPushBrokenOff has the bytes of a blob break off: the upload ends.
func TestPushBrokenOff(t *testing.T) {
	t.Parallel()
	s := newPushSite(t)
	at := s.do(http.StatusAccepted, "POST", app+"/blobs/uploads/", "").Header().Get("Location")
	r := httptest.NewRequestWithContext(t.Context(), "PATCH", "http://127.0.0.1:4511"+at, io.MultiReader(strings.NewReader("hel"), brokenReader{}))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	s.do(http.StatusNotFound, "GET", at, "")
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestUploadExpires leaves an upload alone until it ends, and not while a request has it.
func TestUploadExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newPushSite(t)
		at := s.do(http.StatusAccepted, "POST", app+"/blobs/uploads/", "").Header().Get("Location")
		for range 3 {
			time.Sleep(uploadIdle - 1)
			s.do(http.StatusAccepted, "PATCH", at, "x")
		}
		time.Sleep(uploadIdle + 1)
		s.do(http.StatusNotFound, "PATCH", at, "x")
		if len(s.uploads.all) != 0 {
			t.Errorf("%d uploads are left", len(s.uploads.all))
		}
	})
}

// TestHeadUnderDemand asks for existence where a policy holds. A layer exists for whoever may push, unless
// the policy takes no image at all; a manifest must be as required, also for HEAD.
func TestHeadUnderDemand(t *testing.T) {
	t.Parallel()
	u := newUpstream(100)
	by := &guard{id: "1"}
	s := start(t, u, t.TempDir(), 1<<20, func(o *Options) { o.Demand, o.Push = by.demand, true })
	manifest := "/v2/registry.example/team/app/manifests/" + string(u.manifest.Descriptor.Digest)
	want := func(method, path string, status int) {
		t.Helper()
		if r, _, err := s.send(method, path, nil); err != nil || r.StatusCode != status {
			t.Errorf("%s %s: %s, %v, want %d", method, path, r.Status, err, status)
		}
	}
	want(http.MethodGet, u.path(), http.StatusForbidden)
	manifests := []string{manifest, "/v2/registry.example/team/app/manifests/1.0"}
	for _, path := range manifests {
		want(http.MethodHead, path, http.StatusForbidden)
		want(http.MethodGet, path, http.StatusForbidden)
	}
	// Who asks for a layer in this way is about to push: for him, what is refused is not there.
	want(http.MethodHead, u.path(), http.StatusOK)
	for _, path := range manifests {
		want(http.MethodHead, path, http.StatusNotFound)
		want(http.MethodGet, path, http.StatusForbidden)
	}
	repository := s.handler.repository(target{host: registryHost, repository: "team/app"})
	repository.pushed = repository.pushed.Add(-pushTime)
	want(http.MethodHead, manifest, http.StatusForbidden)
	if u.sent > 0 {
		t.Errorf("%d bytes of a layer were read", u.sent)
	}
	for err, status := range map[error]int{fmt.Errorf("%w: no image from there", ErrRefused): http.StatusForbidden, errors.New("no key"): http.StatusServiceUnavailable} {
		by.mu.Lock()
		by.noKeys = err
		by.mu.Unlock()
		want(http.MethodHead, u.path(), status)
		want(http.MethodHead, manifest, status)
		repository.pushing()
		want(http.MethodHead, manifest, status)
		repository.pushed = time.Time{}
	}
}
