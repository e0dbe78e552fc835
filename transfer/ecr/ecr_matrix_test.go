package ecr

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
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

// TestPushFaultMatrix has every operation of a push fail in every way, once and
// always.
func TestPushFaultMatrix(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, image, _ := fixture.Layout(t, 1)
	want := fixture.DigestOf(t, image)
	n := 0
	for _, op := range []string{"BatchCheckLayerAvailability", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"} {
		for _, f := range matrixFaults() {
			for _, count := range []int{1, -1} {
				t.Run(fmt.Sprintf("%s/%s/%d", op, f.name, count), func(t *testing.T) {
					n++
					name := fmt.Sprintf("r%d", n)
					w := &world{&fixture.World{T: t, Server: w.Server, Calls: w.Calls, Registry: w.Registry, Config: w.Config}}
					w.Create(name, "MUTABLE")
					w.Calls.Reset()
					fault := f.fault
					fault.Op, fault.Count = op, count
					fixture.Check(t, w.Server.SetFaults(fault))
					e := w.impatient(name, count)
					_, err := transfer.Copy(t.Context(), layout.New(src), e, transfer.Options{Reference: "image", Tags: []string{"x"}})
					fixture.Check(t, w.Server.SetFaults())
					survives := count == 1 && !f.final
					if survives != (err == nil) {
						t.Errorf("got %v", err)
					}
					if err == nil && fault.Stall == 0 {
						w.expectCounted(e)
					}
					// Of layers there are two, at the same time.
					if n := w.Calls.Count(op); f.final && (n > 2 || n != 1 && !strings.Contains(op, "Layer")) {
						t.Errorf("%d requests of %s", n, op)
					}
					if err != nil {
						expectOneError(t, err, "repository "+name)
					}
					m, resolveErr := w.repository(name).Resolve(t.Context(), "x")
					visible := resolveErr == nil
					if visible && m.Descriptor.Digest != want || !visible && !errors.Is(resolveErr, content.ErrNotFound) {
						t.Errorf("the tag is %s: %v", m.Descriptor.Digest, resolveErr)
					}
					// Where the answers to PutImage get lost, the image has arrived for all that.
					if err != nil && visible && op != "PutImage" {
						t.Error("the tag is visible after a failure")
					}
					mustCopy(t, layout.New(src), w.repository(name), transfer.Options{Reference: "image", Tags: []string{"x"}})
					dst := filepath.Join(t.TempDir(), "dst")
					mustCopy(t, w.repository(name), layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}, Digest: want})
					fixture.ValidateLayout(t, dst)
				})
			}
		}
	}
}

// TestPullFaultMatrix has every operation of a pull fail in every way, once and
// always.
func TestPullFaultMatrix(t *testing.T) {
	w := newWorld(t, localecr.Options{})
	src, image, _ := fixture.Layout(t, 1)
	want := fixture.DigestOf(t, image)
	most := int64(900) // of the 1000 bytes and more of a layer
	mustCopy(t, layout.New(src), w.repository("app"), transfer.Options{Reference: "image", Tags: []string{"x"}})
	for _, op := range []string{"BatchGetImage", "GetDownloadUrlForLayer", opGetLayer} {
		for _, f := range matrixFaults() {
			for _, count := range []int{1, -1} {
				t.Run(fmt.Sprintf("%s/%s/%d", strings.ReplaceAll(op, "/", " "), f.name, count), func(t *testing.T) {
					w := &world{&fixture.World{T: t, Server: w.Server, Calls: w.Calls, Registry: w.Registry, Config: w.Config}}
					w.Calls.Reset()
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
					fixture.Check(t, w.Server.SetFaults(fault))
					e := w.impatient("app", count)
					dst := filepath.Join(t.TempDir(), "dst")
					_, err := transfer.Copy(t.Context(), e, layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}})
					fixture.Check(t, w.Server.SetFaults())
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
						if layout.Is(dst) {
							fixture.ValidateImages(t, dst) // what has come waits for the next pull
							if _, err := layout.New(dst).Resolve(t.Context(), "x"); !errors.Is(err, content.ErrNotFound) {
								t.Errorf("the image is visible: %v", err)
							}
						}
					}
					mustCopy(t, w.repository("app"), layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}, Digest: want})
					fixture.ValidateLayout(t, dst)
				})
			}
		}
	}
}
