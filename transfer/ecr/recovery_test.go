package ecr

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/test/fastclock"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestV2Recovers has no token be had for /v2/ for some time: blobs go by the ECR API meanwhile, and by /v2/ again
// later in the same process.
func TestV2Recovers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	e := w.v2Repository("app")
	next, broken := e.V2, true
	e.V2 = fixture.RoundTripper(func(r *http.Request) (*http.Response, error) {
		if broken {
			return nil, &auth.Error{Registry: w.Registry, Err: errors.New("the network is down")}
		}
		return next.RoundTrip(r)
	})
	clock := &fastclock.Clock{}
	ctx := retry.WithClock(t.Context(), clock)
	push := func(want string) {
		t.Helper()
		src, _ := fixture.NewImage(t, 1000)
		w.Calls.Reset()
		_, err := transfer.Copy(ctx, layout.New(src), e, transfer.Options{Reference: "x", Tags: []string{"x"}})
		fixture.Check(t, err)
		if n := w.Calls.Count(want); n != 2 {
			t.Errorf("%d of %s for 2 blobs", n, want)
		}
	}
	push("CompleteLayerUpload")
	broken = false
	push("CompleteLayerUpload")
	fixture.Check(t, clock.Sleep(ctx, 2*time.Minute))
	push(putUpload)
}

// TestCreationRecovers has the creation of a repository by a template fail in passing: the next push with the same
// endpoint tries it again, but not what Amazon ECR has refused.
func TestCreationRecovers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	_, err := auth.NewClient(w.Config, w.Registry).CreateRepositoryCreationTemplate(t.Context(), &ecr.CreateRepositoryCreationTemplateInput{
		Prefix: aws.String("ROOT"), AppliedFor: []types.RCTAppliedFor{types.RCTAppliedForCreateOnPush},
	})
	fixture.Check(t, err)
	e := w.repository("new")
	data, d := []byte("a blob"), content.Descriptor{MediaType: "x/y", Digest: digest.FromString("a blob"), Size: 6}
	_, err = e.MissingBlobs(t.Context(), []content.Descriptor{d})
	fixture.Check(t, err)
	fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: "InitiateLayerUpload", Status: 500, Count: -1}))
	if err := e.PutBlob(fixture.Context(t), d, bytes.NewReader(data)); err == nil {
		t.Error("the upload succeeded")
	}
	fixture.Check(t, w.Server.SetFaults())
	fixture.Check(t, e.PutBlob(fixture.Context(t), d, bytes.NewReader(data)))

	refused := w.repository("other")
	fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: "InitiateLayerUpload", Status: 400, Code: "RepositoryNotFoundException", Message: "no", Count: -1}))
	_, err = refused.MissingBlobs(t.Context(), []content.Descriptor{d})
	fixture.Check(t, err)
	w.Calls.Reset()
	for range 2 {
		if err := refused.PutBlob(fixture.Context(t), d, bytes.NewReader(data)); !errors.Is(err, content.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
	w.ExpectCalls(map[string]int{"InitiateLayerUpload": 1})
}

// TestPutBlobAgain has Amazon ECR be busy for a moment when it gets a blob: content that can be read once only is sent
// again all the same.
func TestPutBlobAgain(t *testing.T) {
	t.Parallel()
	const data = "a signature"
	d := fixture.BlobOf(data, "text/plain")
	for _, op := range []string{"UploadLayerPart", putUpload} {
		w := newWorld(t, localecr.Options{})
		e := w.repository("app")
		if op == putUpload {
			e = w.v2Repository("app")
		}
		fixture.Check(t, w.Server.SetFaults(localecr.Fault{Op: op, Status: 503, Count: 1}))
		fixture.Check(t, e.PutBlob(fixture.Context(t), d, iotest.OneByteReader(strings.NewReader(data))))
		if n := w.Calls.Count(op); n != 2 {
			t.Errorf("%d of %s", n, op)
		}
		missing, err := e.MissingBlobs(t.Context(), []content.Descriptor{d})
		if err != nil || len(missing) != 0 {
			t.Errorf("%v, %v", missing, err)
		}
	}
}
