package ecr

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// roleCredentials are temporary keys, which end after an hour by the server's clock;
// by that of this machine, by which the SDK renews them, they do not.
func (w *world) roleCredentials() *aws.CredentialsCache {
	w.T.Helper()
	role := "arn:aws:iam::000000000000:role/" + localecr.DefaultAccounts()[0].Roles[0].Name
	return aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(w.Config), role))
}

// nth calls do before the nth request.
func nth(n int32, next calls.Sender, do func()) calls.Sender {
	var requests atomic.Int32
	return func(r *http.Request) (*http.Response, error) {
		if requests.Add(1) == n {
			do()
		}
		return next(r)
	}
}

// TestPushOverExpiry has 13 hours pass in the middle of a push: the temporary keys
// end and so does the token for /v2/.
func TestPushOverExpiry(t *testing.T) {
	t.Parallel()
	limits := localecr.DefaultLimits()
	limits.PartSize = minPartSize
	w := newWorld(t, localecr.Options{Limits: &limits})
	w.Config.Credentials = w.roleCredentials()
	src, image := fixture.NewImage(t, 11<<20, 1000)
	e := w.v2Repository("app")
	e.parts = nth(2, e.parts.Do, func() { w.Server.Clock().Advance(13 * time.Hour) })
	result := mustCopy(t, layout.New(src), e, transfer.Options{Reference: "x", Tags: []string{"x"}})
	if result.Digest != fixture.DigestOf(t, image) {
		t.Errorf("pushed %s", result.Digest)
	}
	parts := 0
	for _, c := range w.Calls.Calls() {
		if c.Op == "UploadLayerPart" && c.Status < 300 {
			parts++
		}
	}
	if parts != 3 {
		t.Errorf("%d parts arrived for 3", parts)
	}
	if n := w.Calls.Count("AssumeRole"); n != 2 {
		t.Errorf("%d calls of AssumeRole", n)
	}
	mustCopy(t, w.repository("app"), layout.New(filepath.Join(t.TempDir(), "dst")), transfer.Options{Reference: "x"})
}

// TestPullOverExpiry has 13 hours pass in the middle of a layer: its URL ends, and so
// do the temporary keys that get the next one.
func TestPullOverExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	pushLargeLayer(t, w)
	w.Config.Credentials = w.roleCredentials()
	e := w.repository("app")
	e.Layers.Transport = nth(3, e.Layers.Transport.RoundTrip, func() { w.Server.Clock().Advance(13 * time.Hour) })
	dst := filepath.Join(t.TempDir(), "dst")
	result := mustCopy(t, e, layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}, Connections: 2})
	fixture.ValidateLayout(t, dst)
	sent := int64(0)
	for _, c := range w.Calls.Calls() {
		if c.Op == opGetLayer && c.Status < 300 {
			sent += c.BytesOut
		}
	}
	if sent != result.BytesSent {
		t.Errorf("%d bytes came for %d", sent, result.BytesSent)
	}
	if n := w.Calls.Count("AssumeRole"); n != 2 {
		t.Errorf("%d calls of AssumeRole", n)
	}
}

// TestKeysEnd has keys end for which there are no others: one request tells.
func TestKeysEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	keys, err := w.roleCredentials().Retrieve(t.Context())
	fixture.Check(t, err)
	w.Config.Credentials = aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken))
	w.Server.Clock().Advance(13 * time.Hour)
	w.Calls.Reset()
	src, _, _ := fixture.Layout(t, 1)
	_, err = transfer.Copy(fixture.Context(t), layout.New(src), w.repository("app"), transfer.Options{Reference: "image", Tags: []string{"x"}})
	if err == nil || errors.Is(err, content.ErrNotFound) || !strings.Contains(err.Error(), "renew the AWS credentials") || strings.Contains(err.Error(), keys.AccessKeyID) {
		t.Errorf("got %v", err)
	}
	w.ExpectCalls(map[string]int{"BatchCheckLayerAvailability": 1})
}

// TestManifestBeforeItsLayers has the manifest refused, as Amazon ECR may do while it
// does not know everywhere of the layers that it has just got.
func TestManifestBeforeItsLayers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, _, _ := fixture.Layout(t, 1)
	missing := localecr.Fault{Op: "PutImage", Status: 400, Code: "LayersNotFoundException", Message: "not there", Count: 3}
	fixture.Check(t, w.Server.SetFaults(missing))
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "image", Tags: []string{"x"}})
	if n := w.Calls.Count("PutImage"); n != 4 {
		t.Errorf("%d calls of PutImage", n)
	}
	w.Calls.Reset()

	// Without layers just sent it is final, and with them it is so after a while.
	missing.Count = -1
	fixture.Check(t, w.Server.SetFaults(missing))
	_, err := transfer.Copy(fixture.Context(t), layout.New(src), w.repository("app"), transfer.Options{Reference: "image", Tags: []string{"y"}})
	if n := w.Calls.Count("PutImage"); err == nil || n != 1 {
		t.Errorf("%d calls of PutImage: %v", n, err)
	}
	w.Create("other", "MUTABLE")
	e := w.repository("other")
	e.policy.Lag = 50 * time.Millisecond
	_, err = transfer.Copy(fixture.Context(t), layout.New(src), e, transfer.Options{Reference: "image", Tags: []string{"y"}})
	if err == nil || !strings.Contains(err.Error(), "LayersNotFoundException") {
		t.Errorf("got %v", err)
	}
}
