package ecr

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// TestReferrersPages has more of them than one call gives.
func TestReferrersPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, image := fixture.NewImage(t, 1000)
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "x", Tags: []string{"x", "y", "z"}})
	m, err := w.repository("app").Resolve(t.Context(), "x")
	fixture.Check(t, err)
	want := fixture.Attach(t, w.repository("app"), m.Descriptor, 53)
	w.Calls.Reset()
	fixture.ExpectReferrers(t, "ECR", w.repository("app"), fixture.DigestOf(t, image), want)
	w.ExpectCalls(map[string]int{"ListImageReferrers": 2, "BatchGetImage": 1})
	for limit, enough := range map[int64]bool{content.TotalSize(want): true, content.TotalSize(want) - 1: false} {
		if err := w.repository("app").readSizes(t.Context(), slices.Clone(want), limit); (err == nil) != enough || err != nil && !errors.Is(err, content.ErrUnsupported) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
	w.Calls.Reset()

	tags, err := w.repository("app").Tags(t.Context())
	fixture.Check(t, err)
	if !slices.Equal(tags, []string{"x", "y", "z"}) {
		t.Errorf("tags %q", tags)
	}
	w.ExpectCalls(map[string]int{"ListImages": 1})
}

// answeredECR answers calls of one operation itself, with each body once; a body that
// begins with "!" is a refusal.
type answeredECR struct {
	next   http.RoundTripper
	op     string
	bodies []string
	sent   []string // the requests that were answered
}

func (a *answeredECR) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+a.op) || len(a.bodies) == 0 {
		return a.next.RoundTrip(r)
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.sent = append(a.sent, string(sent))
	body, refused := strings.CutPrefix(a.bodies[0], "!")
	a.bodies = a.bodies[1:]
	status := http.StatusOK
	if refused {
		status = http.StatusBadRequest
	}
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}, nil
}

// A page without referrers need not be the last one, and a refusal is none.
func TestReferrersOfECR(t *testing.T) {
	t.Parallel()
	w := newWorld(t, localecr.Options{})
	src, image := fixture.NewImage(t, 1000)
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "x", Tags: []string{"x"}})
	m, err := w.repository("app").Resolve(t.Context(), "x")
	fixture.Check(t, err)
	want := fixture.Attach(t, w.repository("app"), m.Descriptor, 1)
	answered := &answeredECR{next: http.DefaultTransport, op: "ListImageReferrers"}
	w.Config.HTTPClient = &http.Client{Transport: answered}
	entry := fmt.Sprintf(`{"digest":%q,"mediaType":%q,"artifactType":"a/b","size":1}`, want[0].Digest, want[0].MediaType)
	answered.bodies = []string{`{"referrers":[],"nextToken":"a"}`, `{"referrers":[` + entry + `],"nextToken":"b"}`, `{"referrers":[]}`}
	fixture.ExpectReferrers(t, "pages", w.repository("app"), fixture.DigestOf(t, image), want)
	if len(answered.bodies) != 0 {
		t.Errorf("%d pages were not asked for", len(answered.bodies))
	}
	for _, code := range []string{"AccessDeniedException", "RepositoryNotFoundException", "UnableToListUpstreamImageReferrersException", "InvalidParameterException", "ValidationException"} {
		answered.bodies = []string{`!{"__type":"` + code + `","message":"no"}`}
		if got, err := w.repository("app").Referrers(t.Context(), fixture.DigestOf(t, image)); err == nil {
			t.Errorf("%s: %v", code, got)
		}
	}
	// What the list names and the repository has not is no shorter list.
	answered.bodies = []string{`{"referrers":[` + strings.Replace(entry, string(want[0].Digest), someSHA, 1) + `]}`}
	if got, err := w.repository("app").Referrers(t.Context(), fixture.DigestOf(t, image)); err == nil {
		t.Errorf("a referrer that is not there: %v", got)
	}
	// Nor is silence about a tag that nothing has it.
	answered.op, answered.bodies = "BatchGetImage", []string{`{"images":[],"failures":[]}`}
	if got, err := w.repository("app").FindTags(t.Context(), []string{"x"}); err == nil {
		t.Errorf("no answer about a tag: %v", got)
	}
	answered.bodies = []string{`{"images":[],"failures":[{"imageId":{"imageTag":"x"},"failureCode":"KmsError","failureReason":"no key"}]}`}
	if got, err := w.repository("app").FindTags(t.Context(), []string{"x"}); err == nil || errors.Is(err, content.ErrNotFound) {
		t.Errorf("a failure of a tag: %v, %v", got, err)
	}
}
