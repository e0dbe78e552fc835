package ecr

import (
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
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/semaphore"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/test/fastclock"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// How the audit log calls the requests of an upload.
const (
	postUpload = "POST /v2/{name}/blobs/uploads/"
	putUpload  = "PUT /v2/{name}/blobs/uploads/{uuid}"
)

// TestPushV2 counts: one check, two requests a blob, one for the image.
func TestPushV2(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, image := fixture.NewImage(t, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000)
	result := mustCopy(t, layout.New(src), w.v2Repository("app"), transfer.Options{Reference: "x", Tags: []string{"x"}})
	w.ExpectCalls(map[string]int{"BatchCheckLayerAvailability": 1, postUpload: 11, putUpload: 11, "PutImage": 1})
	if result.Digest != fixture.DigestOf(t, image) {
		t.Errorf("pushed %s", result.Digest)
	}
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, w.repository("app"), layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}})
	fixture.ValidateLayout(t, dst)
}

// putAll uploads the blobs of an image in a layout with one mode.
func putAll(t *testing.T, e *Repository, dir string, mode UploadMode) error {
	t.Helper()
	e.Upload = mode
	l := layout.New(dir)
	m, err := l.Resolve(t.Context(), "x")
	fixture.Check(t, err)
	c, err := content.DecodeManifest(m.Content, "")
	fixture.Check(t, err)
	for _, d := range c.Blobs {
		file, err := os.Open(fixture.BlobFile(dir, d.Digest))
		fixture.Check(t, err)
		sent := int64(0)
		how := content.Upload{From: l, Connections: 2, Slots: semaphore.NewWeighted(2), Sent: func(n int64) { atomic.AddInt64(&sent, n) }, Resumed: func(int64) {}, Mounted: func() {}}
		err = e.UploadBlob(fixture.Context(t), d, parts.File{File: file}, how)
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

// TestPushWithoutV2 has each request that begins an upload by /v2/ be throttled, or find no answer: the ECR API does the
// work, after less than the ten minutes for which a throttled request is retried.
func TestPushWithoutV2(t *testing.T) {
	t.Parallel()
	src, _ := fixture.NewImage(t, 100_000, 200_000, 300_000)
	for name, fault := range map[string]localecr.Fault{
		"throttled":       {Op: postUpload, Count: -1, Status: 429},
		"throttled later": {Op: postUpload, Count: -1, Status: 429, RetryAfter: "20"},
		"broken":          {Op: postUpload, Count: -1, Status: 500},
	} {
		for mode, slow := range map[UploadMode]bool{UploadAuto: false, UploadV2: strings.HasPrefix(name, "throttled")} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, localecr.Options{})
				fixture.Check(t, w.Server.SetFaults(fault))
				e := w.v2Repository("app")
				e.Upload = mode
				var clock fastclock.Clock
				_, err := transfer.Copy(retry.WithClock(t.Context(), &clock), layout.New(src), e, transfer.Options{Reference: "x", Tags: []string{"x"}})
				if (err == nil) != (mode == UploadAuto) {
					t.Error(err)
				}
				if waited := clock.Jumped(); waited > 5*time.Minute != slow {
					t.Errorf("it waited %v", waited)
				}
			})
		}
	}
}

func TestUploadModes(t *testing.T) {
	t.Parallel()
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
	src, _ := fixture.NewImage(t, 11<<20)
	for mode, want := range tests {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, localecr.Options{})
			fixture.Check(t, putAll(t, w.v2Repository("app"), src, mode))
			w.ExpectCalls(want)
		})
	}
}

func TestPushV2Faults(t *testing.T) {
	t.Parallel()
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
	src, _ := fixture.NewImage(t, 100_000)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, localecr.Options{})
			e := w.v2Repository("app")
			fixture.Check(t, w.Server.SetFaults(tt.fault))
			fixture.Check(t, putAll(t, e, src, UploadAuto))
			if got := w.Calls.Count(putUpload); got != tt.puts {
				t.Errorf("%d PUTs, want %d", got, tt.puts)
			}
		})
	}
}

func TestPushV2Errors(t *testing.T) {
	t.Parallel()
	src, _ := fixture.NewImage(t, 1000)
	w := newWorld(t, localecr.Options{})

	err := putAll(t, w.v2Repository("missing"), src, UploadAuto)
	var missing *RepositoryNotFoundError
	if !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	w.ExpectCalls(map[string]int{postUpload: 1})

	fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: putUpload, Status: 400, Code: "DIGEST_INVALID", Message: "see https://host/x?X-Amz-Signature=canary", Count: -1}))
	err = putAll(t, w.v2Repository("app"), src, UploadAuto)
	if !errors.Is(err, content.ErrIntegrity) || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
	if got := w.Calls.Count(putUpload); got != 1 {
		t.Errorf("%d PUTs", got)
	}
	fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: postUpload, Status: 429, RetryAfter: "3600", Count: -1}))
	if err = putAll(t, w.v2Repository("app"), src, UploadV2); err == nil || !strings.Contains(err.Error(), "429 Too Many Requests") {
		t.Errorf("got %v", err)
	}
}

// TestPushV2Unusable pushes where no token can be had: the ECR API does it all.
func TestPushV2Unusable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _ := fixture.NewImage(t, 1000)
	e := w.repository("app")
	asked := 0
	e.V2 = fixture.RoundTripper(func(r *http.Request) (*http.Response, error) {
		asked++
		return nil, &auth.Error{Registry: w.Registry, Err: errors.New("no token")}
	})
	fixture.Check(t, putAll(t, e, src, UploadAuto))
	w.ExpectCalls(map[string]int{"InitiateLayerUpload": 2, "UploadLayerPart": 2, "CompleteLayerUpload": 2})
	if asked != 1 {
		t.Errorf("%d requests to a /v2/ that cannot be used", asked)
	}
}

// TestPushV2TokenExpires has the token expire between two blobs.
func TestPushV2TokenExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _ := fixture.NewImage(t, 1000)
	e := w.v2Repository("app")
	fixture.Check(t, putAll(t, e, src, UploadV2))
	w.Server.Clock().Advance(13 * time.Hour)
	fixture.Check(t, putAll(t, e, src, UploadV2))
}

func TestPushV2WrongContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	data := strings.NewReader("these are the wrong bytes")
	d := content.Descriptor{Digest: digest.FromString("others"), Size: int64(data.Len())}
	how := content.Upload{Connections: 1, Slots: semaphore.NewWeighted(1), Sent: func(int64) {}, Resumed: func(int64) {}, Mounted: func() {}}
	err := w.v2Repository("app").UploadBlob(fixture.Context(t), d, parts.File{File: data}, how)
	if !errors.Is(err, content.ErrIntegrity) {
		t.Errorf("got %v", err)
	}
	for _, c := range w.Calls.Calls() {
		if c.Op == putUpload && c.BytesIn >= d.Size {
			t.Errorf("all %d bytes were sent", c.BytesIn)
		}
	}
}

// TestMount copies between two repositories of a registry.
func TestMount(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"ENABLED", "DISABLED"} {
		t.Run(setting, func(t *testing.T) {
			w := newWorld(t, localecr.Options{})
			_, err := auth.NewClient(w.Config, w.Registry).PutAccountSetting(t.Context(), &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: &setting})
			fixture.Check(t, err)
			src, image := fixture.NewImage(t, 1000, 2000, 11<<20)
			mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "x", Tags: []string{"x"}})
			w.Create("copy", "MUTABLE")
			target := w.v2Repository("copy")
			var mounts atomic.Int32
			next := target.V2
			target.V2 = fixture.RoundTripper(func(r *http.Request) (*http.Response, error) {
				if r.URL.Query().Get("mount") != "" {
					mounts.Add(1)
				}
				return next.RoundTrip(r)
			})
			result := mustCopy(t, w.repository("app"), target, transfer.Options{Reference: "x", Tags: []string{"x"}})
			if result.Digest != fixture.DigestOf(t, image) {
				t.Errorf("copied %s", result.Digest)
			}
			sent := int64(0)
			for _, c := range w.Calls.Calls() {
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
