package transfer

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
)

// How the audit log calls the requests of an upload.
const (
	postUpload = "POST /v2/{name}/blobs/uploads/"
	putUpload  = "PUT /v2/{name}/blobs/uploads/{uuid}"
)

// v2Repository is a repository whose small blobs go by /v2/.
func (w *world) v2Repository(name string) *ECR {
	w.t.Helper()
	e := w.repository(name)
	e.V2 = w.v2Transport()
	return e
}

// v2Transport adds a token of the local ECR, which is got before calls are counted.
func (w *world) v2Transport() *auth.Transport {
	w.t.Helper()
	tokens := &auth.Tokens{Minter: auth.Minter{AWS: auth.AWS{HTTPClient: w.cfg.HTTPClient, Now: w.server.Clock().Now}}}
	_, err := tokens.Token(w.t.Context(), w.registry)
	check(w.t, err)
	w.calls.Reset()
	return &auth.Transport{Tokens: tokens, Registry: w.registry}
}

// newImage makes a layout with one image of layers of these sizes, as "x".
func newImage(t *testing.T, sizes ...int64) (dir string, image v1.Image) {
	t.Helper()
	image = empty.Image
	for _, size := range sizes {
		layer, err := random.Layer(size, "application/vnd.oci.image.layer.v1.tar+gzip")
		check(t, err)
		image, err = mutate.AppendLayers(image, layer)
		check(t, err)
	}
	dir = filepath.Join(t.TempDir(), "src")
	p, err := layout.Write(dir, emptyIndex(t))
	check(t, err)
	check(t, p.AppendImage(image, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "x"})))
	return dir, image
}

// TestPushV2 counts: one check, two requests a blob, one for the image.
func TestPushV2(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, image := newImage(t, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000)
	result := mustCopy(t, NewLayout(src), w.v2Repository("app"), Options{Reference: "x", Tags: []string{"x"}})
	w.expectCalls(map[string]int{"BatchCheckLayerAvailability": 1, postUpload: 11, putUpload: 11, "PutImage": 1})
	if result.Digest != digestOf(t, image) {
		t.Errorf("pushed %s", result.Digest)
	}
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, w.repository("app"), NewLayout(dst), Options{Reference: "x", Tags: []string{"x"}})
	validateLayout(t, dst)
}

// putAll uploads the blobs of an image in a layout with one mode.
func putAll(t *testing.T, e *ECR, dir string, mode UploadMode) error {
	t.Helper()
	e.Upload = mode
	l := NewLayout(dir)
	m, err := l.Resolve(t.Context(), "x")
	check(t, err)
	c, err := decodeManifest(m.Content, "")
	check(t, err)
	for _, d := range c.blobs {
		file, err := os.Open(blobFile(dir, d.Digest))
		check(t, err)
		sent := int64(0)
		how := uploads{from: l, connections: 2, slots: semaphore.NewWeighted(2), sent: func(n int64) { atomic.AddInt64(&sent, n) }, resumed: func(int64) {}, mounted: func() {}}
		err = e.PutLayer(t.Context(), d, fileContent{file}, how)
		file.Close()
		if err != nil {
			if sent != 0 {
				t.Errorf("%d bytes count as sent after a failure", sent)
			}
			return err
		}
		if sent != d.Size {
			t.Errorf("%d of %d bytes count as sent", sent, d.Size)
		}
	}
	return nil
}

func TestUploadModes(t *testing.T) {
	native := func(initiated, parts int) map[string]int {
		return map[string]int{"InitiateLayerUpload": initiated, "UploadLayerPart": parts, "CompleteLayerUpload": initiated}
	}
	mixed := native(1, 2)
	mixed[postUpload], mixed[putUpload] = 1, 1
	tests := map[UploadMode]map[string]int{
		UploadAuto:   mixed,
		UploadV2:     {postUpload: 2, putUpload: 2},
		UploadNative: native(2, 3),
	}
	src, _ := newImage(t, 11<<20)
	for mode, want := range tests {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, localecr.Options{})
			check(t, putAll(t, w.v2Repository("app"), src, mode))
			w.expectCalls(want)
		})
	}
}

func TestPushV2Faults(t *testing.T) {
	n := int64(100)
	tests := map[string]struct {
		fault localecr.Fault
		puts  int // for two blobs
	}{
		"busy":            {localecr.Fault{Op: putUpload, Status: 503, Count: 2}, 4},
		"throttled":       {localecr.Fault{Op: postUpload, Status: 429, Count: 2, RetryAfter: "0"}, 2},
		"throttled put":   {localecr.Fault{Op: putUpload, Status: 429, Count: 2, RetryAfter: "0"}, 4},
		"reset request":   {localecr.Fault{Op: putUpload, ResetRequestAfter: &n, Count: 3}, 5},
		"lost answer":     {localecr.Fault{Op: putUpload, ResetResponseAfter: new(int64), Count: 1}, 3},
		"lost upload":     {localecr.Fault{Op: putUpload, Status: 404, Code: "BLOB_UPLOAD_UNKNOWN", Count: 1}, 3},
		"refused token":   {localecr.Fault{Op: putUpload, Status: 403, Code: "DENIED", Count: 1}, 3},
		"lost begin":      {localecr.Fault{Op: postUpload, ResetResponseAfter: new(int64), Count: 1}, 2},
		"internal errors": {localecr.Fault{Op: postUpload, Status: 500, Count: 3}, 2},
	}
	src, _ := newImage(t, 100_000)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, localecr.Options{})
			e := w.v2Repository("app")
			check(t, w.server.SetFaults(tt.fault))
			check(t, putAll(t, e, src, UploadAuto))
			if got := w.calls.Count(putUpload); got != tt.puts {
				t.Errorf("%d PUTs, want %d", got, tt.puts)
			}
		})
	}
}

func TestPushV2Errors(t *testing.T) {
	src, _ := newImage(t, 1000)
	w := newWorld(t, localecr.Options{})

	err := putAll(t, w.v2Repository("missing"), src, UploadAuto)
	var missing *RepositoryNotFoundError
	if !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	w.expectCalls(map[string]int{postUpload: 1})

	check(t, w.server.SetFaults(localecr.Fault{Op: putUpload, Status: 400, Code: "DIGEST_INVALID", Message: "see https://host/x?X-Amz-Signature=canary", Count: -1}))
	err = putAll(t, w.v2Repository("app"), src, UploadAuto)
	if !errors.Is(err, ErrIntegrity) || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
	if got := w.calls.Count(putUpload); got != 1 {
		t.Errorf("%d PUTs", got)
	}
	check(t, w.server.SetFaults(localecr.Fault{Op: postUpload, Status: 429, RetryAfter: "3600", Count: -1}))
	if err = putAll(t, w.v2Repository("app"), src, UploadV2); err == nil || !strings.Contains(err.Error(), "429 Too Many Requests") {
		t.Errorf("got %v", err)
	}
}

// TestPushV2Unusable pushes where no token can be had: the ECR API does it all.
func TestPushV2Unusable(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _ := newImage(t, 1000)
	e := w.repository("app")
	asked := 0
	e.V2 = roundTripper(func(r *http.Request) (*http.Response, error) {
		asked++
		return nil, &auth.Error{Registry: w.registry, Err: errors.New("no token")}
	})
	check(t, putAll(t, e, src, UploadAuto))
	w.expectCalls(map[string]int{"InitiateLayerUpload": 2, "UploadLayerPart": 2, "CompleteLayerUpload": 2})
	if asked != 1 {
		t.Errorf("%d requests to a /v2/ that cannot be used", asked)
	}
}

// TestPushV2TokenExpires has the token expire between two blobs.
func TestPushV2TokenExpires(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _ := newImage(t, 1000)
	e := w.v2Repository("app")
	check(t, putAll(t, e, src, UploadV2))
	w.server.Clock().Advance(13 * time.Hour)
	check(t, putAll(t, e, src, UploadV2))
}

func TestPushV2WrongContent(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	content := strings.NewReader("these are the wrong bytes")
	d := Descriptor{Digest: digest.FromString("others"), Size: int64(content.Len())}
	how := uploads{connections: 1, slots: semaphore.NewWeighted(1), sent: func(int64) {}, resumed: func(int64) {}, mounted: func() {}}
	err := w.v2Repository("app").PutLayer(t.Context(), d, fileContent{content}, how)
	if !errors.Is(err, ErrIntegrity) {
		t.Errorf("got %v", err)
	}
	for _, c := range w.calls.Calls() {
		if c.Op == putUpload && c.BytesIn >= d.Size {
			t.Errorf("all %d bytes were sent", c.BytesIn)
		}
	}
}

// TestUploadLocation has the registry send the upload to other places.
func TestUploadLocation(t *testing.T) {
	tests := map[string]bool{
		"/v2/app/blobs/uploads/1?state=a%2Bb":                          true,
		"https://registry.test/v2/app/blobs/uploads/1?state=a%2Bb":     true,
		"https://REGISTRY.test:443/v2/app/blobs/uploads/1?state=a%2Bb": true,
		"http://registry.test/v2/app/blobs/uploads/1?state=a%2Bb":      true, // as behind a proxy; it goes by https
		"https://other.test/v2/app/blobs/uploads/1?secret=canary":      false,
		"//other.test/v2/app/blobs/uploads/1?secret=canary":            false,
		"https://registry.test:444/v2/app/blobs/uploads/1":             false,
		"https://a:b@registry.test/v2/app/blobs/uploads/1":             false,
		"":                          false,
		"https://registry.test/%zz": false,
	}
	c := newV2Client("https", "registry.test", nil)
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://registry.test/v2/app/blobs/uploads/", nil)
	check(t, err)
	for location, ok := range tests {
		u, err := c.location(&http.Response{Header: http.Header{"Location": {location}}, Request: request})
		switch {
		case ok && (err != nil || u.Scheme != "https" || !strings.HasSuffix(u.String(), "/v2/app/blobs/uploads/1?state=a%2Bb") || u.Host != "registry.test"):
			t.Errorf("%s: %v, %v", location, u, err)
		case !ok && (!errors.Is(err, errProtocol) || strings.Contains(err.Error(), "canary")):
			t.Errorf("%s: %v, %v", location, u, err)
		}
	}
}

// TestMount copies between two repositories of a registry.
func TestMount(t *testing.T) {
	for _, setting := range []string{"ENABLED", "DISABLED"} {
		t.Run(setting, func(t *testing.T) {
			w := newWorld(t, localecr.Options{})
			_, err := auth.NewClient(w.cfg, w.registry).PutAccountSetting(t.Context(), &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: &setting})
			check(t, err)
			src, image := newImage(t, 1000, 2000, 11<<20)
			mustCopy(t, NewLayout(src), w.repository("app"), Options{Reference: "x", Tags: []string{"x"}})
			w.create("copy", "MUTABLE")
			target := w.v2Repository("copy")
			var mounts atomic.Int32
			next := target.V2
			target.V2 = roundTripper(func(r *http.Request) (*http.Response, error) {
				if r.URL.Query().Get("mount") != "" {
					mounts.Add(1)
				}
				return next.RoundTrip(r)
			})
			result := mustCopy(t, w.repository("app"), target, Options{Reference: "x", Tags: []string{"x"}})
			if result.Digest != digestOf(t, image) {
				t.Errorf("copied %s", result.Digest)
			}
			sent := int64(0)
			for _, c := range w.calls.Calls() {
				if c.Op == putUpload || c.Op == "UploadLayerPart" {
					sent += c.BytesIn
				}
			}
			switch {
			case setting == "ENABLED" && (mounts.Load() != 4 || sent != 0):
				t.Errorf("%d mounts, %d bytes", mounts.Load(), sent)
			case setting == "DISABLED" && mounts.Load() != 1:
				t.Errorf("%d attempts to mount", mounts.Load())
			}
		})
	}
}
