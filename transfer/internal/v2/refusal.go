package v2

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// Refused closes an answer to a GET of a store, which is not the registry, and makes it an error.
func Refused(r *http.Response) error {
	defer r.Body.Close()
	u := r.Request.URL
	e := &refusal{status: r.StatusCode, text: fmt.Sprintf("GET %s://%s%s: %s", u.Scheme, u.Host, u.Path, r.Status), notBefore: calls.NotBefore(r.StatusCode, r.Header, retry.ClockOf(r.Request.Context()).Now())}
	data, err := io.ReadAll(io.LimitReader(r.Body, calls.MaxRefusal))
	if err != nil {
		return e
	}
	var message string
	if e.code, message = calls.ParseS3Error(data); e.code != "" {
		e.text += ": " + auth.Redact(strings.Map(printable, e.code+": "+message))
	}
	return e
}

// refusal is an answer of a store that is not the content.
type refusal struct {
	text      string
	status    int
	code      string
	notBefore time.Time
}

func (e *refusal) Error() string { return e.text }

// Verdict returns what the refusal means for [retry.Judge].
func (e *refusal) Verdict() (retry.Verdict, time.Time) {
	return calls.JudgeStatus(e.status, e.code), e.notBefore
}

// Is makes a refusal for lack of the content a [content.ErrNotFound].
func (e *refusal) Is(target error) bool {
	return target == content.ErrNotFound && e.status == http.StatusNotFound
}
