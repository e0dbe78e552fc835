package ecr

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// streaming counts the memory that streams have.
func streaming(held *atomic.Int64) content.StreamOptions {
	return content.StreamOptions{Connections: 3, Memory: func(ctx context.Context, n int64) ([]byte, func(), error) {
		held.Add(n)
		return make([]byte, n), func() { held.Add(-n) }, ctx.Err()
	}}
}

// TestStreamBlob uploads blobs while they arrive, with faults: what arrives is the blob, and
// all memory is given back.
func TestStreamBlob(t *testing.T) {
	t.Parallel()
	none, some := int64(0), int64(2_000_000)
	tests := map[string]struct {
		size  int
		fault localecr.Fault
	}{
		"a byte":             {1, localecr.Fault{}},
		"less than a part":   {minPartSize - 1, localecr.Fault{}},
		"a part":             {minPartSize, localecr.Fault{}},
		"parts and a byte":   {3*minPartSize + 1, localecr.Fault{}},
		"answer got lost":    {4 * minPartSize, localecr.Fault{Op: "UploadLayerPart", Nth: 2, ResetResponseAfter: &none}},
		"connection broke":   {4 * minPartSize, localecr.Fault{Op: "UploadLayerPart", Nth: 2, ResetRequestAfter: &some}},
		"completion is lost": {2 * minPartSize, localecr.Fault{Op: "CompleteLayerUpload", Nth: 1, ResetResponseAfter: &none}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, localecr.Options{})
			if tt.fault.Op != "" {
				fixture.Check(t, w.Server.SetFaults(tt.fault))
			}
			data := randomBytes(tt.size)
			var held atomic.Int64
			e := w.repository("app")
			s := e.StreamBlob(fixture.Context(t), streaming(&held))
			for at := 0; at < len(data); {
				n, err := s.Write(data[at:min(len(data), at+300_001)])
				fixture.Check(t, err)
				at += n
			}
			d := content.Descriptor{Digest: digest.FromBytes(data), Size: int64(len(data))}
			fixture.Check(t, s.Commit(fixture.Context(t), d.Digest))
			// The registry has compared its digest.
			missing, err := e.MissingBlobs(t.Context(), []content.Descriptor{d})
			if err != nil || len(missing) != 0 {
				t.Errorf("the layer is not stored: %v", err)
			}
			s.Abort()
			if n := held.Load(); n != 0 {
				t.Errorf("%d bytes of memory are not given back", n)
			}
		})
	}
}

// TestStreamBlobRefused has streams end without a layer: nothing is stored, and all memory is
// given back.
func TestStreamBlobRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	data := randomBytes(3*minPartSize + 7)
	d := digest.FromBytes(data)
	var held atomic.Int64
	missing := func() bool {
		m, err := w.repository("app").MissingBlobs(t.Context(), []content.Descriptor{{Digest: d}})
		fixture.Check(t, err)
		return len(m) == 1
	}
	// Another digest than was sent, of a large and of a small blob.
	for _, n := range []int{len(data), 10} {
		s := w.repository("app").StreamBlob(t.Context(), streaming(&held))
		_, err := s.Write(data[:n])
		fixture.Check(t, err)
		if err := s.Commit(t.Context(), digest.FromString("other")); !errors.Is(err, content.ErrIntegrity) {
			t.Errorf("the error is %v, want ErrIntegrity", err)
		}
		if _, err := s.Write(data); err == nil {
			t.Error("a stream that has ended takes bytes")
		}
	}
	s := w.repository("app").StreamBlob(t.Context(), streaming(&held))
	_, err := s.Write(data)
	fixture.Check(t, err)
	s.Abort()
	if err := s.Commit(t.Context(), d); err == nil {
		t.Error("a stream that was aborted is committed")
	}
	// A repository that is missing shows when a part is sent, or at the end.
	for _, n := range []int{len(data), 10} {
		s := w.repository("missing").StreamBlob(t.Context(), streaming(&held))
		_, err := s.Write(data[:n])
		if err == nil {
			err = s.Commit(t.Context(), digest.FromBytes(data[:n]))
		}
		if !errors.Is(err, content.ErrNotFound) {
			t.Errorf("the error is %v, want ErrNotFound", err)
		}
	}
	// A client that goes away.
	ctx, cancel := context.WithCancel(t.Context())
	s = w.repository("app").StreamBlob(ctx, streaming(&held))
	_, err = s.Write(data)
	fixture.Check(t, err)
	cancel()
	if err := s.Commit(ctx, d); err == nil {
		t.Error("a stream whose context has ended is committed")
	}
	if !missing() {
		t.Error("the layer is stored")
	}
	if n := held.Load(); n != 0 {
		t.Errorf("%d bytes of memory are not given back", n)
	}
}

// TestMountBlob mounts a layer, and still does after the registry refused one.
func TestMountBlob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	w.Create("other", "MUTABLE")
	_, err := auth.NewClient(w.Config, w.Registry).PutAccountSetting(t.Context(), &ecr.PutAccountSettingInput{Name: aws.String("BLOB_MOUNTING"), Value: aws.String("ENABLED")})
	fixture.Check(t, err)
	from, to := w.v2Repository("app"), w.v2Repository("other")
	src, image := fixture.NewImage(t, 1000)
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "x", Tags: []string{"x"}})
	name, err := image.ConfigName()
	fixture.Check(t, err)
	d := content.Descriptor{Digest: digest.Digest(name.String())}
	if mounted, err := to.MountBlob(t.Context(), digest.FromString("absent"), from); mounted || err != nil {
		t.Errorf("a layer that does not exist: %t, %v", mounted, err)
	}
	if mounted, err := to.MountBlob(t.Context(), d.Digest, from); !mounted || err != nil {
		t.Errorf("the layer: %t, %v", mounted, err)
	}
	if missing, err := to.MissingBlobs(t.Context(), []content.Descriptor{d}); err != nil || len(missing) != 0 {
		t.Errorf("missing are %v, %v", missing, err)
	}
	if mounted, err := to.MountBlob(t.Context(), d.Digest, to); mounted || err != nil {
		t.Errorf("from itself: %t, %v", mounted, err)
	}
}
