package ecr

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	v2 "github.com/ecrkit/ecrkit/transfer/internal/v2"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestPullBreaks breaks every download of a layer in several ways, before it has
// brought a byte (after some bytes it goes on: TestPullRanges).
func TestPullBreaks(t *testing.T) {
	t.Parallel()
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
	src, _, _ := fixture.Layout(t, 2)
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "image", Tags: []string{"x"}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.fault.Op, tt.fault.Count = "GET /layers/{digest}", -1
			fixture.Check(t, w.Server.SetFaults(tt.fault))
			dst := filepath.Join(t.TempDir(), "dst")
			_, err := transfer.Copy(fixture.Context(t), w.repository("app"), layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}})
			if err == nil || errors.Is(err, content.ErrIntegrity) != tt.integrity || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
			if strings.Contains(err.Error(), "X-Amz-") {
				t.Errorf("the signature is in the error: %v", err)
			}
			if layout.Is(dst) {
				fixture.ValidateLayout(t, dst)
				if _, err := layout.New(dst).Resolve(t.Context(), "x"); !errors.Is(err, content.ErrNotFound) {
					t.Errorf("the image is visible: %v", err)
				}
			}
			fixture.Check(t, w.Server.SetFaults())
			mustCopy(t, w.repository("app"), layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}})
			fixture.ValidateLayout(t, dst)
		})
	}
}

func TestPullExpiredURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{URLLifetime: time.Second})
	src, _, _ := fixture.Layout(t, 1)
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "image", Tags: []string{"x"}})
	out, err := auth.NewClient(w.Config, w.Registry).GetDownloadUrlForLayer(t.Context(), &ecr.GetDownloadUrlForLayerInput{
		RepositoryName: aws.String("app"), LayerDigest: aws.String(someLayer(t, w)),
	})
	fixture.Check(t, err)
	w.Server.Clock().Advance(time.Hour)
	response, err := w.repository("app").get(t.Context(), *out.DownloadUrl, "")
	fixture.Check(t, err)
	err = v2.Refused(response)
	if err == nil || !strings.Contains(err.Error(), "403 Forbidden: AccessDenied: Request has expired") || strings.Contains(err.Error(), "X-Amz-") {
		t.Errorf("got %v", err)
	}
}

// someLayer is the digest of a blob of the image app:x.
func someLayer(t *testing.T, w *world) string {
	t.Helper()
	m, err := w.repository("app").Resolve(t.Context(), "x")
	fixture.Check(t, err)
	c, err := content.DecodeManifest(m.Content, "")
	fixture.Check(t, err)
	return string(c.Blobs[0].Digest)
}

func TestWrongKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	keys, err := w.Config.Credentials.Retrieve(t.Context())
	fixture.Check(t, err)
	cfg := w.Config.Copy()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(keys.AccessKeyID, "canary-secret", "")
	src, _, _ := fixture.Layout(t, 1)
	_, err = transfer.Copy(fixture.Context(t), layout.New(src), New(cfg, w.Registry, "app"), transfer.Options{Reference: "image", Tags: []string{"x"}})
	var explained *auth.Error
	if !errors.As(err, &explained) || !strings.Contains(err.Error(), "check the secret access key") || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

// TestPushLostAnswer has the answers to parts get lost: the SDK sends the parts
// again, and the server says that it has them.
func TestPushLostAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 2)
	none := int64(0)
	fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: "UploadLayerPart", ResetResponseAfter: &none, Count: 2}))
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "image", Tags: []string{"x"}})
	if n := w.Calls.Count("UploadLayerPart"); n != 3+2 {
		t.Errorf("%d parts were sent", n)
	}
	mustCopy(t, w.repository("app"), layout.New(filepath.Join(t.TempDir(), "dst")), transfer.Options{Reference: "x"})
}
