package ecr

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/fixture"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// matrixFault is one fault that the local ECR can script.
type matrixFault struct {
	name  string
	fault localecr.Fault
	final bool // it is an answer that another try does not change
}

// matrixFaults are the faults, by kind: a refusal, throttling, an error of the server, a reset, damage, a stall.
func matrixFaults() [][]matrixFault {
	none, some := int64(0), int64(9)
	soon := time.Now().Add(time.Second).UTC().Format(http.TimeFormat)
	return [][]matrixFault{
		{
			{"400", localecr.Fault{Status: 400, Code: "InvalidParameterException", Message: "no"}, true},
			{"403", localecr.Fault{Status: 403, Code: "AccessDeniedException", Message: "no"}, true},
			{"404", localecr.Fault{Status: 404, Code: "NotFoundException", Message: "no"}, true},
			{"limit", localecr.Fault{Status: 400, Code: "LimitExceededException", Message: "no"}, true},
		},
		{
			{"400 throttled", localecr.Fault{Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}, false},
			{"429", localecr.Fault{Status: 429}, false},
			{"429 seconds", localecr.Fault{Status: 429, RetryAfter: "1"}, false},
			{"429 date", localecr.Fault{Status: 429, RetryAfter: soon}, false},
			{"503 slow down", localecr.Fault{Status: 503, Code: "SlowDown", Message: "Please reduce your request rate."}, false},
		},
		{
			{"500", localecr.Fault{Status: 500}, false},
			{"503", localecr.Fault{Status: 503}, false},
		},
		{
			{"reset at once", localecr.Fault{ResetRequestAfter: &none}, false},
			{"reset request", localecr.Fault{ResetRequestAfter: &some}, false},
			{"lost answer", localecr.Fault{ResetResponseAfter: &none}, false},
			{"reset response", localecr.Fault{ResetResponseAfter: &some}, false},
		},
		{
			{"short body", localecr.Fault{ShortBody: &some}, false},
			{"empty body", localecr.Fault{ShortBody: &none}, false},
			{"wrong byte", localecr.Fault{WrongByte: &some}, false},
		},
		{
			{"stall", localecr.Fault{Stall: time.Minute}, false},
			{"stall in answer", localecr.Fault{Stall: time.Minute, StallAfter: 9}, false},
		},
	}
}

// faultCell is one operation that fails in one way, once (1) or always (-1).
type faultCell struct {
	op string
	matrixFault
	count int
}

func (c faultCell) String() string {
	return fmt.Sprintf("%s/%s/%d", strings.ReplaceAll(c.op, "/", " "), c.name, c.count)
}

// fault is what the local ECR is to do.
func (c faultCell) scripted() localecr.Fault {
	f := c.fault
	f.Op, f.Count = c.op, c.count
	return f
}

// sampleCells are one cell for each class of operations, kind of fault and count: of the class and of the kind it
// is another one from cell to cell.
func sampleCells(classes [][]string) (cells []faultCell) {
	n := 0
	for i, class := range classes {
		for _, kind := range matrixFaults() {
			for _, count := range []int{1, -1} {
				cells = append(cells, faultCell{class[(n+i)%len(class)], kind[(n+i)%len(kind)], count})
				n++
			}
		}
	}
	return cells
}

// The operations of a push and of a pull, by class: a question, an upload or download, the end.
var (
	pushClasses = [][]string{
		{"BatchCheckLayerAvailability"},
		{"InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"},
		{"PutImage"},
	}
	pullClasses = [][]string{{"BatchGetImage", "GetDownloadUrlForLayer"}, {opGetLayer}}
)

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

// faultWorld is a local ECR in which operations fail, one after the other.
type faultWorld struct {
	*world
	src    string // a layout
	want   digest.Digest
	pushes atomic.Int32
}

func newFaultWorld(t *testing.T) *faultWorld {
	t.Helper()
	src, image, _ := fixture.Layout(t, 1)
	return &faultWorld{world: newWorld(t, localecr.Options{}), src: src, want: fixture.DigestOf(t, image)}
}

// TestPushFaults has a push fail in each kind of way, once and always.
func TestPushFaults(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	for _, c := range sampleCells(pushClasses) {
		t.Run(c.String(), func(t *testing.T) { w.push(t, c) })
	}
}

// push has one operation of a push fail.
func (f *faultWorld) push(t *testing.T, c faultCell) {
	name := fmt.Sprintf("r%d", f.pushes.Add(1))
	w := &world{f.On(t)}
	w.Create(name, "MUTABLE")
	w.Calls.Reset()
	fault := c.scripted()
	fixture.Check(t, w.Server.SetFaults(fault))
	e := w.impatient(name, fault)
	_, err := transfer.Copy(fixture.Context(t), layout.New(f.src), e, transfer.Options{Reference: "image", Tags: []string{"x"}})
	fixture.Check(t, w.Server.SetFaults())
	survives := c.count == 1 && !c.final
	if survives != (err == nil) {
		t.Errorf("got %v", err)
	}
	if err == nil && fault.Stall == 0 {
		w.expectCounted(e)
	}
	// Of layers there are two, at the same time.
	if n := w.Calls.Count(c.op); c.final && (n > 2 || n != 1 && !strings.Contains(c.op, "Layer")) {
		t.Errorf("%d requests of %s", n, c.op)
	}
	if err != nil {
		expectOneError(t, err, "repository "+name)
	}
	m, resolveErr := w.repository(name).Resolve(t.Context(), "x")
	visible := resolveErr == nil
	if visible && m.Descriptor.Digest != f.want || !visible && !errors.Is(resolveErr, content.ErrNotFound) {
		t.Errorf("the tag is %s: %v", m.Descriptor.Digest, resolveErr)
	}
	// Where the answers to PutImage get lost, the image has arrived for all that.
	if err != nil && visible && c.op != "PutImage" {
		t.Error("the tag is visible after a failure")
	}
	mustCopy(t, layout.New(f.src), w.repository(name), transfer.Options{Reference: "image", Tags: []string{"x"}})
	dst := filepath.Join(t.TempDir(), "dst")
	mustCopy(t, w.repository(name), layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}, Digest: f.want})
	fixture.ValidateLayout(t, dst)
}

// TestPullFaults has a pull fail in each kind of way, once and always.
func TestPullFaults(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	mustCopy(t, layout.New(w.src), w.repository("app"), transfer.Options{Reference: "image", Tags: []string{"x"}})
	for _, c := range sampleCells(pullClasses) {
		t.Run(c.String(), func(t *testing.T) { w.pull(t, c) })
	}
}

// pull has one operation of a pull of app:x fail.
func (f *faultWorld) pull(t *testing.T, c faultCell) {
	w := &world{f.On(t)}
	w.Calls.Reset()
	fault := c.scripted()
	most := int64(900) // of the 1000 bytes and more of a layer
	for _, n := range []**int64{&fault.ResetResponseAfter, &fault.ShortBody} {
		if c.op == opGetLayer && *n != nil && **n > 0 {
			*n = &most
		}
	}
	if c.op == opGetLayer && fault.StallAfter > 0 {
		fault.StallAfter = most
	}
	fixture.Check(t, w.Server.SetFaults(fault))
	e := w.impatient("app", fault)
	dst := filepath.Join(t.TempDir(), "dst")
	_, err := transfer.Copy(fixture.Context(t), e, layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}})
	fixture.Check(t, w.Server.SetFaults())
	survives := c.count == 1 && !c.final
	switch {
	case c.op == opGetLayer && (fault.WrongByte != nil || fault.Code == "ThrottlingException"):
		survives = false // the digest tells; and S3 has another code
	case c.op == opGetLayer && fault.ResetRequestAfter != nil:
		survives = true // a GET has no body
	case c.op == opGetLayer && c.count == 1 && fault.Status == 403:
		survives = true // the URL may have ended
	}
	// As long as each try brings some bytes it resumes, but a reset may take them.
	progress := c.op == opGetLayer && c.count < 0 && (fault.ShortBody != nil || fault.ResetResponseAfter != nil || fault.StallAfter > 0)
	if !progress && survives != (err == nil) {
		t.Errorf("got %v", err)
	}
	// net/http sends a GET again by itself if a connection is lost that it has used.
	if err == nil && fault.Stall == 0 && (c.op != opGetLayer || fault.Status != 0) {
		w.expectCounted(e)
	}
	if err != nil {
		object := " sha256:"
		if c.op == "BatchGetImage" {
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
	mustCopy(t, w.repository("app"), layout.New(dst), transfer.Options{Reference: "x", Tags: []string{"x"}, Digest: f.want})
	fixture.ValidateLayout(t, dst)
}
