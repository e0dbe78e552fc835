package localecr_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/ecrkit/ecrkit/localecr"
)

func TestFaultsWithAStatus(t *testing.T) {
	t.Parallel()
	r, _, layer := pushed(t, localecr.Options{Faults: []localecr.Fault{
		{Op: "DescribeRepositories", Nth: 2, Count: 2, Status: 500, Code: "ServerException", Message: "scripted"},
		{Op: "DescribeImages", Count: -1, Status: 429, RetryAfter: "7"},
		{Op: "GET /v2/{name}/tags/list", Repository: "app", Status: 429, RetryAfter: "3"},
		{Op: "GET /layers/{digest}", Status: 503},
	}})
	for i, fails := range []bool{false, true, true, false} {
		err := describe(r.api)
		if fails {
			wantError(t, err, "ServerException", "scripted")
		} else if err != nil {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
	for range 3 {
		_, err := r.api.DescribeImages(context.Background(), &ecr.DescribeImagesInput{RepositoryName: aws.String("app")})
		wantError(t, err, "ThrottlingException", "")
	}
	got := r.v2("GET", "/v2/app/tags/list", nil)
	wantReply(t, got, 429, "TOOMANYREQUESTS", "")
	if got.header.Get("Retry-After") != "3" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
	if got := r.v2("GET", "/v2/app/tags/list", nil); got.status != 200 {
		t.Errorf("the second call: %d", got.status)
	}
	url := r.v2("GET", "/v2/app/blobs/"+digestOf(layer), nil).header.Get("Location")
	req, _ := http.NewRequest("GET", url, nil)
	if got := r.do(req); got.status != 503 || !strings.Contains(string(got.body), "<Code>SlowDown</Code>") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestFaultsOnTheWire(t *testing.T) {
	t.Parallel()
	r, _, layer := pushed(t, localecr.Options{})
	at := func(n int64) *int64 { return &n }
	get := func(f localecr.Fault) ([]byte, error) {
		f.Op = "GET /layers/{digest}"
		if err := r.srv.SetFaults(f); err != nil {
			t.Fatal(err)
		}
		url := r.v2("GET", "/v2/app/blobs/"+digestOf(layer), nil).header.Get("Location")
		resp, err := http.Get(url)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		return io.ReadAll(resp.Body)
	}
	if got, err := get(localecr.Fault{ResetResponseAfter: at(500)}); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset: %d bytes, %v", len(got), err)
	}
	if got, err := get(localecr.Fault{ShortBody: at(0)}); !errors.Is(err, io.ErrUnexpectedEOF) || len(got) != 0 {
		t.Errorf("body without a byte: %d bytes, %v", len(got), err)
	}
	if got, err := get(localecr.Fault{ShortBody: at(500)}); !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.Equal(got, layer[:500]) {
		t.Errorf("short body: %d bytes, %v", len(got), err)
	}
	wrong := bytes.Clone(layer)
	wrong[700] ^= 0xff
	if got, err := get(localecr.Fault{WrongByte: at(700)}); err != nil || !bytes.Equal(got, wrong) {
		t.Errorf("wrong byte: %d bytes, %v", len(got), err)
	}
	if got, err := get(localecr.Fault{Stall: 10 * time.Millisecond, StallAfter: 300}); err != nil || !bytes.Equal(got, layer) {
		t.Errorf("stall: %d bytes, %v", len(got), err)
	}
	if got := stalled(t, r, digestOf(layer)); !bytes.Equal(got, layer[:300]) {
		t.Errorf("before a stall without end: %d bytes", len(got))
	}
	if got, err := get(localecr.Fault{Stall: time.Millisecond}); err != nil || !bytes.Equal(got, layer) {
		t.Errorf("stall before the answer: %d bytes, %v", len(got), err)
	}

	// The work is done and the answer lost: the client can't know.
	if err := r.srv.SetFaults(localecr.Fault{Op: "CreateRepository", ResetResponseAfter: at(0)}); err != nil {
		t.Fatal(err)
	}
	_, err := r.api.CreateRepository(context.Background(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("lost")})
	if err == nil {
		t.Error("the answer was not lost")
	}
	if err := describe(r.api, "lost"); err != nil {
		t.Error(err)
	}
	var cut localecr.Call
	for _, c := range r.calls.Calls() {
		if c.Op == "CreateRepository" && c.Repository == "lost" {
			cut = c
		}
	}
	if cut.Error != "cut by a scripted fault" {
		t.Errorf("audit: %+v", cut)
	}
}

// stalled reads a download that stalls after 300 bytes, and gives up then.
func stalled(t *testing.T, r *rig, digest string) []byte {
	t.Helper()
	if err := r.srv.SetFaults(localecr.Fault{Op: "GET /layers/{digest}", Stall: time.Hour, StallAfter: 300}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", r.v2("GET", "/v2/app/blobs/"+digest, nil).header.Get("Location"), nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := make([]byte, 300)
	if _, err := io.ReadFull(resp.Body, got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestReadFaults(t *testing.T) {
	t.Parallel()
	faults, err := localecr.ReadFaults(strings.NewReader("- {op: UploadLayerPart, nth: 3, status: 500}\n- op: \"GET /layers/{digest}\"\n  reset_response_after: 0\n- {op: PutImage, stall: 1s500ms, count: -1}\n"))
	if err != nil || len(faults) != 3 || faults[0].Nth != 3 || *faults[1].ResetResponseAfter != 0 || faults[2].Stall != 1500*time.Millisecond {
		t.Fatalf("%+v %v", faults, err)
	}
	if faults, err := localecr.ReadFaults(strings.NewReader(`[{"op":"PutImage","status":500}]`)); err != nil || len(faults) != 1 {
		t.Fatalf("%+v %v", faults, err)
	}
	for text, want := range map[string]string{
		"- {op: PutImage}": "exactly one of",
		"- {op: PutImage, status: 500, wrong_byte: 1}":   "exactly one of",
		"- {op: PutImages, status: 500}":                 `"PutImages" is no op of the audit log`,
		"- {status: 500}":                                "op is missing",
		"- {op: PutImage, status: 200}":                  "status 200 is not an error",
		"- {op: PutImage, status: 500, nth: -1}":         "nth -1",
		"- {op: PutImage, status: 500, nth: 0}":          "nth 0 must be 1 or more: the first call is 1",
		"- {op: PutImage, status: 500, count: 0}":        "count 0 must be 1 or more, or -1 for all calls",
		"- {op: PutImage, status: 500, nht: 1}":          "nht",
		"- {op: PutImage, status: 500, count: -2}":       "count -2",
		"- {op: PutImage, short_body: -1}":               "must not be negative",
		"- {op: PutImage, status: 500, stall_after: 10}": "goes with stall",
		"- {op: PutImage, status: 500, sttaus: 400}":     "unknown field",
		"{op: PutImage}":                                 "faults: ",
	} {
		if _, err := localecr.ReadFaults(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want …%s…", text, err, want)
		}
	}
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	q := localecr.Quotas{"ListImages": {Rate: 0.001, Burst: 2}}
	r, _, _ := pushed(t, localecr.Options{Quotas: q})
	if got := r.v2("GET", "/v2/app/tags/list", nil); got.status != 200 {
		t.Fatalf("first: %d %s", got.status, got.body)
	}
	list := func() error {
		_, err := r.api.ListImages(context.Background(), &ecr.ListImagesInput{RepositoryName: aws.String("app")})
		return err
	}
	if err := list(); err != nil {
		t.Fatal(err)
	}
	wantError(t, list(), "ThrottlingException", "Rate exceeded")
	wantReply(t, r.v2("GET", "/v2/app/tags/list", nil), 429, "TOOMANYREQUESTS", "Rate exceeded")
	if err := describe(r.api); err != nil {
		t.Errorf("another operation: %v", err)
	}
	parts := newRig(t, localecr.Options{Quotas: localecr.Quotas{"UploadLayerPart": {Rate: 0.001, Burst: 1}}})
	parts.repository("app")
	loc := parts.startV2("app")
	if got := parts.v2("PATCH", loc, random(10)); got.status != 201 {
		t.Fatalf("first part: %d %s", got.status, got.body)
	}
	wantReply(t, parts.v2("PUT", loc+"?digest="+digestOf(nil), random(10)), 429, "TOOMANYREQUESTS", "Rate exceeded")
	wantError(t, parts.part("app", parts.start("app"), 0, random(10)), "ThrottlingException", "Rate exceeded")
	if d := localecr.DefaultQuotas(); d["PutImage"].Rate != 10 || d["GetDownloadUrlForLayer"].Rate != 3000 || d["UploadLayerPart"].Rate != 500 {
		t.Errorf("%+v are not AWS's", d)
	}
}

func TestReadQuotas(t *testing.T) {
	t.Parallel()
	q, err := localecr.ReadQuotas(strings.NewReader("PutImage: {rate: 2.5, burst: 10}"))
	if err != nil || q["PutImage"] != (localecr.Quota{Rate: 2.5, Burst: 10}) {
		t.Fatalf("%+v %v", q, err)
	}
	for text, want := range map[string]string{
		"PutImages: {rate: 1, burst: 1}":        "PutImages is not an operation",
		"PutImage: {rate: 0, burst: 1}":         "rate must be a number above 0",
		"PutImage: {rate: .nan, burst: 1}":      "rate must be a number above 0",
		"PutImage: {rate: .inf, burst: 1}":      "rate must be a number above 0",
		"PutImage: {rate: 1}":                   "burst at least 1",
		"PutImage: {rate: 1, burst: 1, max: 2}": "unknown field",
		"[1]":                                   "quotas: ",
	} {
		if _, err := localecr.ReadQuotas(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want …%s…", text, err, want)
		}
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	r, m, layer := pushed(t, localecr.Options{})
	r.v2("GET", "/v2/app/manifests/v1", nil)
	r.v2("GET", "/v2/nothing/manifests/v1", nil)
	find := func(op string) (out []localecr.Call) {
		for _, c := range r.calls.Calls() {
			if c.Op == op {
				out = append(out, c)
			}
		}
		return out
	}
	parts := find("UploadLayerPart")
	if len(parts) != 2 || parts[1].Range != "0-999" || parts[1].Repository != "app" || parts[1].Endpoint != "api" || parts[1].BytesIn < 1333 {
		t.Errorf("%+v", parts)
	}
	if c := find("CompleteLayerUpload"); len(c) != 2 || c[1].Digest != digestOf(layer) {
		t.Errorf("%+v", c)
	}
	put := find("PutImage")
	if len(put) != 1 || put[0].Digest != digestOf(m) || put[0].Status != 200 || put[0].Principal != "arn:aws:iam::000000000000:user/ecrkit" || put[0].Account != "000000000000" {
		t.Errorf("%+v", put)
	}
	gets := find("GET /v2/{name}/manifests/{reference}")
	if len(gets) != 2 || gets[0].Digest != digestOf(m) || gets[0].BytesOut != int64(len(m)) || gets[1].Status != 404 || !strings.HasPrefix(gets[1].Error, "NAME_UNKNOWN: ") {
		t.Errorf("%+v", gets)
	}
	for _, c := range r.calls.Calls() {
		line := c.Op + c.Error + c.Principal + c.Digest + c.Repository
		if strings.Contains(line, r.token) || strings.Contains(line, localecr.DefaultAccounts()[0].Users[0].SecretAccessKey) {
			t.Errorf("a secret in %+v", c)
		}
	}
}

// TestTheAuditLogIsAheadOfTheClient slows the log down: nobody may have an answer that the log does not have.
func TestTheAuditLogIsAheadOfTheClient(t *testing.T) {
	t.Parallel()
	slow := &slowAudit{}
	r, m, layer := pushed(t, localecr.Options{Audit: slow})
	big, config := random(300_000), random(20)
	r.layer("app", big)
	r.layer("app", config)
	padded := append(manifest(config, big), strings.Repeat(" ", 10_000)...) // more than net/http buffers
	if err := r.put("app", padded, aws.String("big")); err != nil {
		t.Fatal(err)
	}
	location := func(layer []byte) string {
		return r.v2("GET", "/v2/app/blobs/"+digestOf(layer), nil).header.Get("Location")
	}
	small, large := location(layer), location(big)
	slow.delay.Store(int64(20 * time.Millisecond))
	for op, call := range map[string]func() int{
		"GET /layers/{digest}":                  func() int { return len(r.v2("GET", small, nil, "Authorization", "").body) },
		"GET /layers/{digest} ":                 func() int { return len(r.v2("GET", large, nil, "Authorization", "").body) },
		"GET /v2/{name}/manifests/{reference}":  func() int { return len(r.v2("GET", "/v2/app/manifests/"+digestOf(m), nil).body) },
		"GET /v2/{name}/manifests/{reference} ": func() int { return len(r.v2("GET", "/v2/app/manifests/"+digestOf(padded), nil).body) },
		"GET /v2/{name}/tags/list":              func() int { return len(r.v2("GET", "/v2/app/tags/list", nil).body) },
		"GET /v2/":                              func() int { return len(r.v2("GET", "/v2/", nil).body) },
		"GetAuthorizationToken":                 func() int { r.login(r.api); return -1 },
	} {
		op = strings.TrimSpace(op)
		before := slow.Count(op)
		got := call()
		if n := slow.Count(op); n != before+1 {
			t.Errorf("after a %s the log has %d, want %d", op, n, before+1)
		}
		if calls := slow.Calls(); got >= 0 && calls[len(calls)-1].BytesOut != int64(got) {
			t.Errorf("%s: %d bytes: %+v", op, got, calls[len(calls)-1])
		}
	}
}

// A slowAudit takes a while to record a call.
type slowAudit struct {
	localecr.Recorder
	delay atomic.Int64
}

func (a *slowAudit) Record(c localecr.Call) {
	time.Sleep(time.Duration(a.delay.Load()))
	a.Recorder.Record(c)
}
