package ecr

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// getLayer is how the audit log calls a download.
const getLayer = "GET /layers/{digest}"

// pushLargeLayer pushes an image with one layer of 6 MiB as app:x, which is read
// by eight ranges.
func pushLargeLayer(t *testing.T, w *world) v1.Image {
	t.Helper()
	return pushLayer(t, w, 6<<20)
}

// pushLayer pushes an image with one layer of about size bytes as app:x.
func pushLayer(t *testing.T, w *world, size int64) v1.Image {
	t.Helper()
	dir, image := fixture.NewImage(t, size)
	mustCopy(t, layout.New(dir), w.repository("app"), transfer.Options{Reference: "x", Tags: []string{"x"}})
	w.Calls.Reset()
	return image
}

func TestPullRanges(t *testing.T) {
	t.Parallel()
	n, none := int64(100_000), int64(0)
	tests := map[string]struct {
		fault       localecr.Fault
		connections int
		once        bool // no byte comes twice
	}{
		"clean":           {localecr.Fault{}, 8, true},
		"one connection":  {localecr.Fault{}, 1, true},
		"many":            {localecr.Fault{}, 100, true},
		"resets":          {localecr.Fault{ResetResponseAfter: &n, Count: 10}, 8, false},
		"reset at once":   {localecr.Fault{ResetResponseAfter: &none, Count: 5}, 8, false},
		"short bodies":    {localecr.Fault{ShortBody: &n, Count: 10}, 8, false},
		"slow down":       {localecr.Fault{Status: 503, Code: "SlowDown", Count: 8}, 8, false},
		"expired":         {localecr.Fault{Status: 403, Code: "AccessDenied", Nth: 3}, 8, true},
		"session ended":   {localecr.Fault{Status: 400, Code: "ExpiredToken", Nth: 3}, 8, true},
		"all but expired": {localecr.Fault{Status: 403, Code: "AccessDenied", Count: 4}, 4, true},
	}
	shared := newWorld(t, localecr.Options{})
	image := pushLargeLayer(t, shared)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := &world{shared.On(t)}
			w.Calls.Reset()
			fixture.Check(t, w.Server.SetFaults())
			if tt.fault != (localecr.Fault{}) {
				tt.fault.Op = getLayer
				fixture.Check(t, w.Server.SetFaults(tt.fault))
			}
			ctx := fixture.Context(t)
			if tt.fault.Count > retry.Default().Tries {
				ctx = t.Context() // by the real time others meet some of the faults
			}
			dst := filepath.Join(t.TempDir(), "dst")
			result, err := transfer.Copy(ctx, w.repository("app"), layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}, Connections: tt.connections})
			fixture.Check(t, err)
			fixture.ValidateLayout(t, dst)
			if want := fixture.DigestOf(t, image); result.Digest != want {
				t.Errorf("pulled %s, want %s", result.Digest, want)
			}
			sent := int64(0)
			for _, c := range w.Calls.Calls() {
				if c.Op == getLayer && c.Status < 300 {
					sent += c.BytesOut
				}
			}
			if tt.once && sent != result.BytesSent {
				t.Errorf("%d bytes came for %d", sent, result.BytesSent)
			}
			if got := w.Calls.Count("GetDownloadUrlForLayer"); tt.fault.Status != 403 && tt.fault.Status != 400 && got != 2 {
				t.Errorf("%d calls of GetDownloadUrlForLayer for 2 blobs", got)
			}
		})
	}
}

func TestPullRangesRefuses(t *testing.T) {
	t.Parallel()
	n := int64(100)
	tests := map[string]struct {
		fault     localecr.Fault
		integrity bool
		want      string
	}{
		"wrong byte":    {localecr.Fault{WrongByte: &n}, true, "another digest"},
		"never a byte":  {localecr.Fault{Status: 500, Code: "InternalError"}, false, "500 Internal Server Error: InternalError"},
		"never allowed": {localecr.Fault{Status: 403, Code: "AccessDenied"}, false, "403 Forbidden: AccessDenied"},
	}
	shared := newWorld(t, localecr.Options{})
	pushLargeLayer(t, shared)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := &world{shared.On(t)}
			tt.fault.Op, tt.fault.Count = getLayer, -1
			fixture.Check(t, w.Server.SetFaults(tt.fault))
			dst := filepath.Join(t.TempDir(), "dst")
			_, err := transfer.Copy(fixture.Context(t), w.repository("app"), layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}})
			if err == nil || errors.Is(err, content.ErrIntegrity) != tt.integrity || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "X-Amz-") {
				t.Errorf("got %v", err)
			}
			fixture.Check(t, w.Server.SetFaults())
			mustCopy(t, w.repository("app"), layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}})
			fixture.ValidateLayout(t, dst)
		})
	}
}

// TestPullURLExpires has the pre-signed URL expire in the middle of a layer.
func TestPullURLExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{URLLifetime: time.Minute})
	pushLargeLayer(t, w)
	e := w.repository("app")
	var requests atomic.Int32
	next := e.Layers.Transport
	e.Layers.Transport = fixture.RoundTripper(func(r *http.Request) (*http.Response, error) {
		if requests.Add(1) == 4 {
			w.Server.Clock().Advance(time.Hour)
		}
		return next.RoundTrip(r)
	})
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, e, layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}, Layers: 1, Connections: 2})
	fixture.ValidateLayout(t, dst)
}

// TestPullWithoutRanges has a proxy before the layers that drops the header Range.
func TestPullWithoutRanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	pushLargeLayer(t, w)
	e := w.repository("app")
	next := e.Layers.Transport
	e.Layers.Transport = fixture.RoundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Del("Range")
		return next.RoundTrip(r)
	})
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, e, layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}})
	fixture.ValidateLayout(t, dst)
}

// TestPullWrongRange has a proxy answer with another range than was asked for.
func TestPullWrongRange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	pushLargeLayer(t, w)
	e := w.repository("app")
	next := e.Layers.Transport
	e.Layers.Transport = fixture.RoundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		if r.Header.Get("Range") != "" {
			r.Header.Set("Range", "bytes=0-99")
		}
		return next.RoundTrip(r)
	})
	_, err := transfer.Copy(fixture.Context(t), e, layout.New(filepath.Join(t.TempDir(), "dst")), transfer.Options{Reference: "x"})
	if !errors.Is(err, content.ErrIntegrity) || !strings.Contains(err.Error(), "got \"bytes 0-99/") {
		t.Errorf("got %v", err)
	}
}

// TestPullChangingETag has each range come from another copy of the layer: what
// counts is the digest.
func TestPullChangingETag(t *testing.T) {
	t.Parallel()
	for name, damaged := range map[string]bool{"same bytes": false, "other bytes": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, localecr.Options{})
			image := pushLargeLayer(t, w)
			e := w.repository("app")
			next := e.Layers.Transport
			var answers atomic.Int64
			e.Layers.Transport = fixture.RoundTripper(func(r *http.Request) (*http.Response, error) {
				response, err := next.RoundTrip(r)
				if err == nil {
					n := answers.Add(1)
					response.Header.Set("ETag", fmt.Sprintf(`"%d"`, n))
					if damaged && response.StatusCode == http.StatusPartialContent && strings.HasPrefix(response.Header.Get("Content-Range"), "bytes 0-") {
						body := response.Body
						response.Body = struct {
							io.Reader
							io.Closer
						}{invertFirst(body), body}
					}
				}
				return response, err
			})
			dst := filepath.Join(t.TempDir(), "dst")
			result, err := transfer.Copy(fixture.Context(t), e, layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}})
			if damaged {
				if !errors.Is(err, content.ErrIntegrity) {
					t.Errorf("got %v", err)
				}
				return
			}
			fixture.Check(t, err)
			fixture.ValidateLayout(t, dst)
			if want := fixture.DigestOf(t, image); result.Digest != want {
				t.Errorf("pulled %s, want %s", result.Digest, want)
			}
		})
	}
}

// invertFirst is r with another first byte.
func invertFirst(r io.Reader) io.Reader {
	first := make([]byte, 1)
	_, _ = io.ReadFull(r, first)
	first[0] = ^first[0]
	return io.MultiReader(bytes.NewReader(first), r)
}
