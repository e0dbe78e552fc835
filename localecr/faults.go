package localecr

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ecrkit/ecrkit/internal/strictyaml"
	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

// A Fault makes calls of one operation fail on purpose. It applies to calls of Op, from the Nth on, Count of them. Exactly
// one of Status, ResetRequestAfter, ResetResponseAfter, ShortBody, WrongByte and Stall is set.
type Fault struct {
	// Op is an operation as the audit log names it: "UploadLayerPart", "PUT /v2/{name}/manifests/{reference}",
	// "GET /layers/{digest}". "SignPayload" is what ECR asks of AWS Signer in managed signing.
	Op string `yaml:"op"`
	// Repository limits the fault to one repository. It works where the request's path names it: on /v2/, and for
	// SignPayload.
	Repository string `yaml:"repository"`
	Nth        int    `yaml:"nth"`   // the first call to fail, counted from 1; default 1
	Count      int    `yaml:"count"` // how many fail; default 1, -1 for all

	// Status is the HTTP status of the answer, with Code and Message in the endpoint's own form and RetryAfter as the
	// header of that name. Nothing else is done. Of SignPayload, Code and Message become the failure of the image's
	// signing status; it takes no other kind of fault.
	Status     int    `yaml:"status"`
	Code       string `yaml:"code"`
	Message    string `yaml:"message"`
	RetryAfter string `yaml:"retry_after"`

	ResetRequestAfter  *int64 `yaml:"reset_request_after"`  // resets the connection after this many bytes of the request's body
	ResetResponseAfter *int64 `yaml:"reset_response_after"` // resets it after this many bytes of the response's body; 0: the work is done, the answer is lost
	ShortBody          *int64 `yaml:"short_body"`           // ends the response's body after this many bytes, short of its length
	WrongByte          *int64 `yaml:"wrong_byte"`           // inverts this byte of the response's body, counted from 0

	// Stall delays the answer or, with StallAfter, the rest of the response's body after that many bytes.
	Stall      time.Duration `yaml:"stall"`
	StallAfter int64         `yaml:"stall_after"`
}

// UnmarshalYAML reads a fault. It implements yaml.InterfaceUnmarshaler, so that a 0 that is written differs from what is left
// out.
func (f *Fault) UnmarshalYAML(decode func(any) error) error {
	type plain Fault
	p := plain{Nth: 1, Count: 1}
	if err := decode(&p); err != nil {
		return err
	}
	switch {
	case p.Nth == 0:
		return errors.New("nth 0 must be 1 or more: the first call is 1")
	case p.Count == 0:
		return errors.New("count 0 must be 1 or more, or -1 for all calls")
	}
	*f = Fault(p)
	return nil
}

// ReadFaults reads a list of faults from YAML or JSON. Unknown keys, and faults that do nothing or two things, are
// errors.
func ReadFaults(r io.Reader) ([]Fault, error) {
	var faults []Fault
	if err := strictyaml.Decode(r, &faults); err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	if err := checkFaults(faults); err != nil {
		return nil, err
	}
	return faults, nil
}

func checkFaults(faults []Fault) error {
	for i := range faults {
		if err := faults[i].check(); err != nil {
			return fmt.Errorf("faults: entry %d: %w", i+1, err)
		}
	}
	return nil
}

func (f *Fault) check() error {
	kinds := 0
	for _, set := range []bool{f.Status != 0, f.ResetRequestAfter != nil, f.ResetResponseAfter != nil, f.ShortBody != nil, f.WrongByte != nil, f.Stall != 0} {
		if set {
			kinds++
		}
	}
	_, v2 := v2Handlers[f.Op]
	switch {
	case f.Op == "":
		return errors.New("op is missing")
	case !knownOp(f.Op):
		return fmt.Errorf("%q is no op of the audit log, such as UploadLayerPart, %q or %q", f.Op, "PUT "+routeManifest, "GET "+routeLayer)
	case f.Op == opSignPayload && (f.Status == 0 || f.Code == ""):
		return errors.New("SignPayload fails with a status and a code, such as ACCESS_DENIED: the failureCode of the image's signing status")
	case f.Repository != "" && !v2 && f.Op != opSignPayload:
		return fmt.Errorf("repository %s: the repository of a call of %s is not known when it begins; leave it out, or fail a route of /v2/", f.Repository, f.Op)
	case kinds != 1:
		return errors.New("exactly one of status, reset_request_after, reset_response_after, short_body, wrong_byte and stall must be given")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("status %d is not an error; give one from 400 to 599", f.Status)
	case f.Nth < 0:
		return fmt.Errorf("nth %d must be 1 or more: the first call is 1", f.Nth)
	case f.Count < -1:
		return fmt.Errorf("count %d must be 1 or more, or -1 for all calls", f.Count)
	case f.Stall < 0 || f.StallAfter < 0 || f.StallAfter > 0 && f.Stall == 0:
		return errors.New("stall must not be negative, and stall_after goes with stall")
	}
	for _, n := range []*int64{f.ResetRequestAfter, f.ResetResponseAfter, f.ShortBody, f.WrongByte} {
		if n != nil && *n < 0 {
			return errors.New("a number of bytes must not be negative")
		}
	}
	return nil
}

// knownOp reports whether a call of this name can come.
func knownOp(op string) bool {
	_, ecr := operations[op]
	_, kms := kmsOperations[op]
	_, v2 := v2Handlers[op]
	return ecr || kms || v2 || op == opSignPayload || slices.Contains(stsActions, op) || op == "GET "+routeLayer
}

// opSignPayload is what Amazon ECR asks of AWS Signer for each image and profile, when the signing
// is due.
const opSignPayload = "SignPayload"

// signPayload is AWS Signer, which signs unless a fault says that it does not.
func (s *Server) signPayload(_, repository string) *registry.SigningFailure {
	f := s.script.next(opSignPayload, repository)
	if f == nil {
		return nil
	}
	return &registry.SigningFailure{Code: f.Code, Reason: f.Message}
}

// script counts the calls that the faults wait for.
type script struct {
	mu     sync.Mutex
	faults []Fault
	seen   []int
}

// next counts a call and returns the fault that it meets, or nil.
func (s *script) next(op, repository string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var hit *Fault
	for i := range s.faults {
		f := &s.faults[i]
		if f.Op != op || f.Repository != "" && f.Repository != repository {
			continue
		}
		s.seen[i]++
		first, count := max(f.Nth, 1), f.Count
		if count == 0 {
			count = 1
		}
		if hit == nil && s.seen[i] >= first && (count < 0 || s.seen[i] < first+count) {
			hit = f
		}
	}
	return hit
}

// set replaces the faults and counts their calls from now on.
func (s *script) set(faults []Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.seen = faults, make([]int, len(faults))
}

// restart counts the calls that the faults wait for from the beginning.
func (s *script) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.seen)
}

// errReset is what the reader of a body sees of a connection that a fault cuts.
var errReset = errors.New("connection reset by a scripted fault")

// faultyBody resets the connection after left bytes: the exchange does so when the endpoint is done.
type faultyBody struct {
	io.ReadCloser
	left  int64
	reset *bool
}

func (b *faultyBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		*b.reset = true
		return 0, errReset
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// faultyWriter spoils a response's body. It ends the request by a panic that net/http knows.
type faultyWriter struct {
	http.ResponseWriter
	fault *Fault
	sent  int64
	cut   func(reset bool) // flushes what was sent and ends the connection
	wait  func(time.Duration)
}

func (w *faultyWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *faultyWriter) Write(p []byte) (int, error) {
	f, total := w.fault, 0
	for _, at := range []*int64{f.ResetResponseAfter, f.ShortBody} {
		if at != nil && w.sent+int64(len(p)) > *at {
			n, err := w.send(p[:*at-w.sent])
			if err == nil {
				w.cut(f.ResetResponseAfter != nil)
			}
			return n, err
		}
	}
	if f.StallAfter != 0 && w.sent <= f.StallAfter && w.sent+int64(len(p)) > f.StallAfter {
		n, err := w.send(p[:f.StallAfter-w.sent])
		if err != nil {
			return n, err
		}
		_ = http.NewResponseController(w.ResponseWriter).Flush() // fails only when the client has gone
		w.wait(f.Stall)
		total, p = n, p[n:]
	}
	if f.WrongByte != nil && *f.WrongByte >= w.sent && *f.WrongByte < w.sent+int64(len(p)) {
		p = append([]byte(nil), p...)
		p[*f.WrongByte-w.sent] ^= 0xff
	}
	n, err := w.send(p)
	return total + n, err
}

func (w *faultyWriter) send(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}
