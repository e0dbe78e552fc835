package transfer

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

	"github.com/ecrkit/ecrkit/localecr"
)

// roleCredentials are temporary keys, which end after an hour by the server's clock;
// by that of this machine, by which the SDK renews them, they do not.
func (w *world) roleCredentials() *aws.CredentialsCache {
	w.t.Helper()
	role := "arn:aws:iam::000000000000:role/" + localecr.DefaultAccounts()[0].Roles[0].Name
	return aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(w.cfg), role))
}

// nth calls do before the nth request.
func nth(n int32, next sender, do func()) sender {
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
	limits := localecr.DefaultLimits()
	limits.PartSize = minPartSize
	w := newWorld(t, localecr.Options{Limits: &limits})
	w.cfg.Credentials = w.roleCredentials()
	src, image := newImage(t, 11<<20, 1000)
	e := w.v2Repository("app")
	e.parts = nth(2, e.parts.Do, func() { w.server.Clock().Advance(13 * time.Hour) })
	result := mustCopy(t, NewLayout(src), e, Options{Reference: "x", Tags: []string{"x"}})
	if result.Digest != digestOf(t, image) {
		t.Errorf("pushed %s", result.Digest)
	}
	parts := 0
	for _, c := range w.calls.Calls() {
		if c.Op == "UploadLayerPart" && c.Status < 300 {
			parts++
		}
	}
	if parts != 3 {
		t.Errorf("%d parts arrived for 3", parts)
	}
	if n := w.calls.Count("AssumeRole"); n != 2 {
		t.Errorf("%d calls of AssumeRole", n)
	}
	mustCopy(t, w.repository("app"), NewLayout(filepath.Join(t.TempDir(), "dst")), Options{Reference: "x"})
}

// TestPullOverExpiry has 13 hours pass in the middle of a layer: its URL ends, and so
// do the temporary keys that get the next one.
func TestPullOverExpiry(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	pushLargeLayer(t, w)
	w.cfg.Credentials = w.roleCredentials()
	e := w.repository("app")
	e.Layers.Transport = nth(3, e.Layers.Transport.RoundTrip, func() { w.server.Clock().Advance(13 * time.Hour) })
	dst := filepath.Join(t.TempDir(), "dst")
	result := mustCopy(t, e, NewLayout(dst), Options{Reference: "x", Tags: []string{"x"}, Connections: 2})
	validateLayout(t, dst)
	sent := int64(0)
	for _, c := range w.calls.Calls() {
		if c.Op == opGetLayer && c.Status < 300 {
			sent += c.BytesOut
		}
	}
	if sent != result.BytesSent {
		t.Errorf("%d bytes came for %d", sent, result.BytesSent)
	}
	if n := w.calls.Count("AssumeRole"); n != 2 {
		t.Errorf("%d calls of AssumeRole", n)
	}
}

// TestKeysEnd has keys end for which there are no others: one request tells.
func TestKeysEnd(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	keys, err := w.roleCredentials().Retrieve(t.Context())
	check(t, err)
	w.cfg.Credentials = aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken))
	w.server.Clock().Advance(13 * time.Hour)
	w.calls.Reset()
	src, _, _ := newFixture(t, 1)
	_, err = Copy(t.Context(), NewLayout(src), w.repository("app"), Options{Reference: "image", Tags: []string{"x"}})
	if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "renew the AWS credentials") || strings.Contains(err.Error(), keys.AccessKeyID) {
		t.Errorf("got %v", err)
	}
	w.expectCalls(map[string]int{"BatchCheckLayerAvailability": 1})
}

// TestManifestBeforeItsLayers has the manifest refused, as Amazon ECR may do while it
// does not know everywhere of the layers that it has just got.
func TestManifestBeforeItsLayers(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, _, _ := newFixture(t, 1)
	missing := localecr.Fault{Op: "PutImage", Status: 400, Code: "LayersNotFoundException", Message: "not there", Count: 3}
	check(t, w.server.SetFaults(missing))
	mustCopy(t, NewLayout(src), w.repository("app"), Options{Reference: "image", Tags: []string{"x"}})
	if n := w.calls.Count("PutImage"); n != 4 {
		t.Errorf("%d calls of PutImage", n)
	}
	w.calls.Reset()

	// Without layers just sent it is final, and with them it is so after a while.
	missing.Count = -1
	check(t, w.server.SetFaults(missing))
	_, err := Copy(t.Context(), NewLayout(src), w.repository("app"), Options{Reference: "image", Tags: []string{"y"}})
	if n := w.calls.Count("PutImage"); err == nil || n != 1 {
		t.Errorf("%d calls of PutImage: %v", n, err)
	}
	w.create("other", "MUTABLE")
	e := w.repository("other")
	e.patience.lag = 50 * time.Millisecond
	_, err = Copy(t.Context(), NewLayout(src), e, Options{Reference: "image", Tags: []string{"y"}})
	if err == nil || !strings.Contains(err.Error(), "LayersNotFoundException") {
		t.Errorf("got %v", err)
	}
}
