package transfer

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
)

// TestPullFaults breaks every download of a layer in several ways, before it has
// brought a byte (after some bytes it goes on: TestPullRanges).
func TestPullFaults(t *testing.T) {
	n := int64(0)
	tests := []struct {
		name      string
		fault     localecr.Fault
		integrity bool
		want      string
	}{
		{"wrong byte", localecr.Fault{WrongByte: &n}, true, "another digest"},
		{"short body", localecr.Fault{ShortBody: &n}, false, "at byte 0: unexpected EOF"},
		{"reset", localecr.Fault{ResetResponseAfter: &n}, false, "connection reset"},
		{"slow down", localecr.Fault{Status: 503, Code: "SlowDown", Message: "Please reduce your request rate."}, false, "503 Service Unavailable: SlowDown: Please reduce your request rate."},
	}
	w := newWorld(t, localecr.Options{})
	src, _, _ := newFixture(t, 2)
	mustCopy(t, NewLayout(src), w.repository("app"), Options{Reference: "image", Tags: []string{"x"}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.fault.Op, tt.fault.Count = "GET /layers/{digest}", -1
			check(t, w.server.SetFaults(tt.fault))
			dst := filepath.Join(t.TempDir(), "dst")
			_, err := Copy(t.Context(), w.repository("app"), NewLayout(dst), Options{Reference: "x", Tags: []string{"x"}})
			if err == nil || errors.Is(err, ErrIntegrity) != tt.integrity || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
			if strings.Contains(err.Error(), "X-Amz-") {
				t.Errorf("the signature is in the error: %v", err)
			}
			if IsLayout(dst) {
				validateLayout(t, dst)
				if _, err := NewLayout(dst).Resolve(t.Context(), "x"); !errors.Is(err, ErrNotFound) {
					t.Errorf("the image is visible: %v", err)
				}
			}
			check(t, w.server.SetFaults())
			mustCopy(t, w.repository("app"), NewLayout(dst), Options{Reference: "x", Tags: []string{"x"}})
			validateLayout(t, dst)
		})
	}
}

func TestPullExpiredURL(t *testing.T) {
	w := newWorld(t, localecr.Options{URLLifetime: time.Second})
	src, _, _ := newFixture(t, 1)
	mustCopy(t, NewLayout(src), w.repository("app"), Options{Reference: "image", Tags: []string{"x"}})
	out, err := auth.NewClient(w.cfg, w.registry).GetDownloadUrlForLayer(t.Context(), &ecr.GetDownloadUrlForLayerInput{
		RepositoryName: aws.String("app"), LayerDigest: aws.String(someLayer(t, w)),
	})
	check(t, err)
	w.server.Clock().Advance(time.Hour)
	response, err := w.repository("app").get(t.Context(), *out.DownloadUrl, "")
	check(t, err)
	err = refused(response)
	if err == nil || !strings.Contains(err.Error(), "403 Forbidden: AccessDenied: Request has expired") || strings.Contains(err.Error(), "X-Amz-") {
		t.Errorf("got %v", err)
	}
}

// someLayer is the digest of a blob of the image app:x.
func someLayer(t *testing.T, w *world) string {
	t.Helper()
	m, err := w.repository("app").Resolve(t.Context(), "x")
	check(t, err)
	c, err := decodeManifest(m.Content, "")
	check(t, err)
	return string(c.blobs[0].Digest)
}

func TestWrongKey(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
	cfg, err := auth.AWS{}.Config(t.Context(), w.registry)
	check(t, err)
	src, _, _ := newFixture(t, 1)
	_, err = Copy(t.Context(), NewLayout(src), NewECR(cfg, w.registry, "app"), Options{Reference: "image", Tags: []string{"x"}})
	var explained *auth.Error
	if !errors.As(err, &explained) || !strings.Contains(err.Error(), "check the secret access key") || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

// TestPushLostAnswer has the answers to parts get lost: the SDK sends the parts
// again, and the server says that it has them.
func TestPushLostAnswer(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := newFixture(t, 2)
	none := int64(0)
	check(t, w.server.SetFaults(localecr.Fault{Op: "UploadLayerPart", ResetResponseAfter: &none, Count: 2}))
	mustCopy(t, NewLayout(src), w.repository("app"), Options{Reference: "image", Tags: []string{"x"}})
	if n := w.calls.Count("UploadLayerPart"); n != 3+2 {
		t.Errorf("%d parts were sent", n)
	}
	mustCopy(t, w.repository("app"), NewLayout(filepath.Join(t.TempDir(), "dst")), Options{Reference: "x"})
}
