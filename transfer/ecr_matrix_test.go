package transfer

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// matrixFault is one kind of fault that the local ECR can script.
type matrixFault struct {
	name  string
	fault localecr.Fault
	final bool // it is an answer that another try does not change
}

func matrixFaults() []matrixFault {
	none, some := int64(0), int64(9)
	soon := time.Now().Add(time.Second).UTC().Format(http.TimeFormat)
	return []matrixFault{
		{"400", localecr.Fault{Status: 400, Code: "InvalidParameterException", Message: "no"}, true},
		{"403", localecr.Fault{Status: 403, Code: "AccessDeniedException", Message: "no"}, true},
		{"404", localecr.Fault{Status: 404, Code: "NotFoundException", Message: "no"}, true},
		{"limit", localecr.Fault{Status: 400, Code: "LimitExceededException", Message: "no"}, true},
		{"400 throttled", localecr.Fault{Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}, false},
		{"429", localecr.Fault{Status: 429}, false},
		{"429 seconds", localecr.Fault{Status: 429, RetryAfter: "1"}, false},
		{"429 date", localecr.Fault{Status: 429, RetryAfter: soon}, false},
		{"500", localecr.Fault{Status: 500}, false},
		{"503", localecr.Fault{Status: 503}, false},
		{"503 slow down", localecr.Fault{Status: 503, Code: "SlowDown", Message: "Please reduce your request rate."}, false},
		{"reset at once", localecr.Fault{ResetRequestAfter: &none}, false},
		{"reset request", localecr.Fault{ResetRequestAfter: &some}, false},
		{"lost answer", localecr.Fault{ResetResponseAfter: &none}, false},
		{"reset response", localecr.Fault{ResetResponseAfter: &some}, false},
		{"short body", localecr.Fault{ShortBody: &some}, false},
		{"empty body", localecr.Fault{ShortBody: &none}, false},
		{"wrong byte", localecr.Fault{WrongByte: &some}, false},
		{"stall", localecr.Fault{Stall: time.Minute}, false},
		{"stall in answer", localecr.Fault{Stall: time.Minute, StallAfter: 9}, false},
	}
}

// impatient gives an endpoint that waits shortly.
func (w *world) impatient(name string, count int) *ECR {
	e := w.repository(name)
	e.patience.throttled = 3 * time.Second // there are answers that want one or two
	if count < 0 {
		e.patience.throttled = 200 * time.Millisecond
	}
	e.patience.tries = 4
	e.patience.answer, e.patience.bytes = 200*time.Millisecond, 200*time.Millisecond
	return e
}

// expectOneError checks the error of a fault: one line that names what it is about
// and nothing secret.
func expectOneError(t *testing.T, err error, object string) {
	t.Helper()
	text := err.Error()
	if strings.Contains(text, "\n") || !strings.Contains(text, object) || len(text) > 1000 {
		t.Errorf("the error: %s", text)
	}
	for _, secret := range []string{"X-Amz-", "Signature=", "AKIA", "Credential="} {
		if strings.Contains(text, secret) {
			t.Errorf("%s in the error: %s", secret, text)
		}
	}
}

// expectCounted compares what an endpoint has counted with what the server has.
func (w *world) expectCounted(e *ECR) {
	w.t.Helper()
	calls := map[string]int{}
	for _, c := range w.calls.Calls() {
		calls[c.Op]++
	}
	if got, _ := e.Requests(); !maps.Equal(got, calls) {
		w.t.Errorf("counted %v, the server %v", got, calls)
	}
}

// TestPushFaultMatrix has every operation of a push fail in every way, once and
// always.
func TestPushFaultMatrix(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, image, _ := newFixture(t, 1)
	want := digestOf(t, image)
	n := 0
	for _, op := range []string{"BatchCheckLayerAvailability", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"} {
		for _, f := range matrixFaults() {
			for _, count := range []int{1, -1} {
				t.Run(fmt.Sprintf("%s/%s/%d", op, f.name, count), func(t *testing.T) {
					n++
					name := fmt.Sprintf("r%d", n)
					w := &world{t, w.server, w.calls, w.registry, w.cfg}
					w.create(name, "MUTABLE")
					w.calls.Reset()
					fault := f.fault
					fault.Op, fault.Count = op, count
					check(t, w.server.SetFaults(fault))
					e := w.impatient(name, count)
					_, err := Copy(t.Context(), NewLayout(src), e, Options{Reference: "image", Tags: []string{"x"}})
					check(t, w.server.SetFaults())
					survives := count == 1 && !f.final
					if survives != (err == nil) {
						t.Errorf("got %v", err)
					}
					if err == nil && fault.Stall == 0 {
						w.expectCounted(e)
					}
					// Of layers there are two, at the same time.
					if n := w.calls.Count(op); f.final && (n > 2 || n != 1 && !strings.Contains(op, "Layer")) {
						t.Errorf("%d requests of %s", n, op)
					}
					if err != nil {
						expectOneError(t, err, "repository "+name)
					}
					m, resolveErr := w.repository(name).Resolve(t.Context(), "x")
					visible := resolveErr == nil
					if visible && m.Descriptor.Digest != want || !visible && !errors.Is(resolveErr, ErrNotFound) {
						t.Errorf("the tag is %s: %v", m.Descriptor.Digest, resolveErr)
					}
					// Where the answers to PutImage get lost, the image has arrived for all that.
					if err != nil && visible && op != "PutImage" {
						t.Error("the tag is visible after a failure")
					}
					mustCopy(t, NewLayout(src), w.repository(name), Options{Reference: "image", Tags: []string{"x"}})
					dst := filepath.Join(t.TempDir(), "dst")
					mustCopy(t, w.repository(name), NewLayout(dst), Options{Reference: "x", Tags: []string{"x"}, Digest: want})
					validateLayout(t, dst)
				})
			}
		}
	}
}

// TestPullFaultMatrix has every operation of a pull fail in every way, once and
// always.
func TestPullFaultMatrix(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, image, _ := newFixture(t, 1)
	want := digestOf(t, image)
	most := int64(900) // of the 1000 bytes and more of a layer
	mustCopy(t, NewLayout(src), w.repository("app"), Options{Reference: "image", Tags: []string{"x"}})
	for _, op := range []string{"BatchGetImage", "GetDownloadUrlForLayer", opGetLayer} {
		for _, f := range matrixFaults() {
			for _, count := range []int{1, -1} {
				t.Run(fmt.Sprintf("%s/%s/%d", strings.ReplaceAll(op, "/", " "), f.name, count), func(t *testing.T) {
					w := &world{t, w.server, w.calls, w.registry, w.cfg}
					w.calls.Reset()
					fault := f.fault
					fault.Op, fault.Count = op, count
					for _, n := range []**int64{&fault.ResetResponseAfter, &fault.ShortBody} {
						if op == opGetLayer && *n != nil && **n > 0 {
							*n = &most
						}
					}
					if op == opGetLayer && fault.StallAfter > 0 {
						fault.StallAfter = most
					}
					check(t, w.server.SetFaults(fault))
					e := w.impatient("app", count)
					dst := filepath.Join(t.TempDir(), "dst")
					_, err := Copy(t.Context(), e, NewLayout(dst), Options{Reference: "x", Tags: []string{"x"}})
					check(t, w.server.SetFaults())
					survives := count == 1 && !f.final
					switch {
					case op == opGetLayer && (fault.WrongByte != nil || fault.Code == "ThrottlingException"):
						survives = false // the digest tells; and S3 has another code
					case op == opGetLayer && fault.ResetRequestAfter != nil:
						survives = true // a GET has no body
					case op == opGetLayer && count == 1 && fault.Status == 403:
						survives = true // the URL may have ended
					}
					// As long as each try brings some bytes it goes on, but a reset may take them.
					progress := op == opGetLayer && count < 0 && (fault.ShortBody != nil || fault.ResetResponseAfter != nil || fault.StallAfter > 0)
					if !progress && survives != (err == nil) {
						t.Errorf("got %v", err)
					}
					// net/http sends a GET again by itself if a connection is lost that it has used.
					if err == nil && fault.Stall == 0 && (op != opGetLayer || fault.Status != 0) {
						w.expectCounted(e)
					}
					if err != nil {
						object := " sha256:"
						if op == "BatchGetImage" {
							object = "image x"
						}
						expectOneError(t, err, object)
						if IsLayout(dst) {
							validateImages(t, dst) // what has come waits for the next pull
							if _, err := NewLayout(dst).Resolve(t.Context(), "x"); !errors.Is(err, ErrNotFound) {
								t.Errorf("the image is visible: %v", err)
							}
						}
					}
					mustCopy(t, w.repository("app"), NewLayout(dst), Options{Reference: "x", Tags: []string{"x"}, Digest: want})
					validateLayout(t, dst)
				})
			}
		}
	}
}
