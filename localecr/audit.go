package localecr

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// The endpoints of the server, as the audit log names them.
const (
	EndpointAPI = "api" // the AWS API: ECR, STS, KMS
	EndpointV2  = "v2"  // the registry's /v2/
	EndpointS3  = "s3"  // downloads by pre-signed URL
)

// A Call is one request that the server has answered: a line of the audit log. It contains no secret.
type Call struct {
	Time       time.Time `json:"time"`      // when the request ended, by the server's clock
	Op         string    `json:"op"`        // name of the operation, or method and route, such as "PUT /v2/{name}/manifests/{reference}"
	Endpoint   string    `json:"endpoint"`  // EndpointAPI, EndpointV2 or EndpointS3
	Status     int       `json:"status"`    // of HTTP; 0 if the connection was cut before an answer
	Account    string    `json:"account"`   // of the caller
	Principal  string    `json:"principal"` // ARN of the caller; "" if it is not known
	Repository string    `json:"repository"`
	Digest     string    `json:"digest"`   // of the manifest or layer that the call is about
	Range      string    `json:"range"`    // bytes of a layer that the call is about, FIRST-LAST
	BytesIn    int64     `json:"bytesIn"`  // of the request's body
	BytesOut   int64     `json:"bytesOut"` // of the response's body
	Error      string    `json:"error"`    // CODE: MESSAGE
}

// An Audit receives every call before the client has the whole answer. It must be safe for use by several goroutines.
type Audit interface {
	Record(Call)
}

// AuditTo returns an Audit that writes each call to w as one line of JSON, in one Write: a script may truncate a file
// that was opened with os.O_APPEND at any time. The first error of w is passed to failed and ends the log.
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

// A Recorder is an Audit that keeps the calls in memory. The zero value is ready for use.
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

// Calls returns the calls since the start or the last Reset, in the order in which they ended.
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

// Reset discards the calls.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = nil
}
