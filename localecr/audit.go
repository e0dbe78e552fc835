package localecr

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// The fronts of the server, as the audit log names them.
const (
	FrontAPI = "api" // the AWS API: ECR, STS, KMS
	FrontV2  = "v2"  // the registry's /v2/
	FrontS3  = "s3"  // downloads by pre-signed URL
)

// A Call is one request that the server has answered: a line of the audit log. No secret is in it.
type Call struct {
	Time       time.Time `json:"time"` // of the request's end, by the service's clock
	Op         string    `json:"op"`   // an operation's name, or METHOD and route, such as "PUT /v2/{name}/manifests/{reference}"
	Front      string    `json:"front"`
	Status     int       `json:"status"` // of HTTP; 0 if the connection was cut before an answer
	Account    string    `json:"account"`
	Principal  string    `json:"principal"` // ARN, "" if the caller is not known
	Repository string    `json:"repository"`
	Digest     string    `json:"digest"` // of the manifest or layer that the call is about
	Range      string    `json:"range"`  // the bytes of a layer that the call is about, FIRST-LAST
	BytesIn    int64     `json:"bytesIn"`
	BytesOut   int64     `json:"bytesOut"`
	Error      string    `json:"error"` // CODE: MESSAGE
}

// An Audit takes every call. It must be safe for use by several goroutines.
type Audit interface {
	Record(Call)
}

// AuditTo writes each call to w as one line of JSON, in one Write. With a file that was opened with
// os.O_APPEND, a script may truncate the file between two steps. The first error of w goes to failed
// and ends the log.
func AuditTo(w io.Writer, failed func(error)) Audit { return &auditWriter{w: w, failed: failed} }

type auditWriter struct {
	mu     sync.Mutex
	w      io.Writer
	failed func(error)
	broken bool
}

func (a *auditWriter) Record(c Call) {
	line, err := json.Marshal(c)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken {
		return
	}
	if err == nil {
		_, err = a.w.Write(append(line, '\n'))
	}
	if err != nil {
		a.broken = true
		a.failed(fmt.Errorf("audit log: %w", err))
	}
}

// A Recorder is an Audit that keeps the calls in memory, for tests. The zero value is ready for use.
type Recorder struct {
	mu    sync.Mutex
	calls []Call
}

// Record implements Audit.
func (r *Recorder) Record(c Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
}

// Calls returns the calls since the start or the last Reset, in the order of their ends.
func (r *Recorder) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Call(nil), r.calls...)
}

// Count returns how many of the calls are of the operation op.
func (r *Recorder) Count(op string) int {
	n := 0
	for _, c := range r.Calls() {
		if c.Op == op {
			n++
		}
	}
	return n
}

// Reset forgets the calls.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = nil
}
