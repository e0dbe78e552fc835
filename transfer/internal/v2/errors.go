package v2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/retry"
	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// ErrCredentials is the error of a request that would take credentials where they must not go.
var ErrCredentials = retry.As(retry.Final, errors.New("the credentials are not sent"))

// HasNoReferrers tells the answers of registries without the referrers API. The
// specification has 404; some say with a code that they do not support it.
func (e *Error) HasNoReferrers() bool {
	switch e.Status {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return false
	}
	return e.Status < http.StatusInternalServerError && e.Code == "UNSUPPORTED"
}

// Error is a refusal of a registry.
type Error struct {
	Place     string // method and URL without its query
	Status    int
	Code      string // of the distribution API, "" if there is none
	Message   string
	notBefore time.Time // before which the registry wants no other request; the zero time if it did not say
	Elsewhere bool      // it was not the registry but a server to which it led
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %d %s", e.Place, e.Status, http.StatusText(e.Status))
	for _, s := range []string{e.Code, e.Message} {
		if s != "" {
			text += ": " + s
		}
	}
	return text
}

// Is maps the codes of the distribution API to the errors of package content.
func (e *Error) Is(target error) bool {
	switch target {
	case content.ErrNotFound:
		return e.Status == http.StatusNotFound
	case content.ErrIntegrity:
		return e.Code == "DIGEST_INVALID" || e.Code == "SIZE_INVALID"
	case content.ErrConflict:
		return e.IsImmutable()
	}
	return false
}

// IsImmutable reports whether a tag may not be moved. Registries have no common code
// for that.
func (e *Error) IsImmutable() bool {
	return e.Status == http.StatusConflict || e.Status == http.StatusPreconditionFailed ||
		e.Status >= 400 && e.Status < 500 && strings.Contains(strings.ToLower(e.Message), "immutable")
}

// maxErrorBody is how much of an error is read, in bytes.
const maxErrorBody = 64 << 10

// newError reads a refusal and closes it.
func newError(place string, r *http.Response) *Error {
	defer r.Body.Close()
	e := &Error{Place: place, Status: r.StatusCode, notBefore: calls.NotBefore(r.StatusCode, r.Header, retry.ClockOf(r.Request.Context()).Now())}
	// What can't be read says nothing.
	data, _ := io.ReadAll(io.LimitReader(r.Body, maxErrorBody))
	e.Code, e.Message = decodeErrors(data)
	return e
}

var (
	errorCode = lazyregexp.New(`^[A-Za-z0-9_]{1,64}$`)
	urlQuery  = lazyregexp.New(`(?i)(https?://[^\s?]*)\?\S*`)
)

// decodeErrors returns the first error of a body in the form of the distribution specification,
// {"errors":[{"code","message"}]}, or in that of Amazon S3 and other stores to which a registry redirects; of
// any other body "".
func decodeErrors(data []byte) (code, message string) {
	var doc struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(data, &doc) != nil {
		return CleanV2Error(calls.ParseS3Error(data))
	}
	if len(doc.Errors) == 0 {
		return "", ""
	}
	return CleanV2Error(doc.Errors[0].Code, doc.Errors[0].Message)
}

// CleanV2Error makes of the words of a registry what may be shown.
func CleanV2Error(code, message string) (string, string) {
	if !errorCode.MatchString(code) {
		code = ""
	}
	// The query of a URL may be a credential.
	message = urlQuery.ReplaceAllString(strings.Map(printable, message), "$1")
	return code, auth.Redact(message)
}

// printable drops what could steer a terminal.
func printable(r rune) rune {
	if r != '\n' && (r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0) {
		return -1
	}
	return r
}

// Verdict returns what the refusal means for [retry.Judge].
func (e *Error) Verdict() (retry.Verdict, time.Time) {
	v := calls.JudgeStatus(e.Status, e.Code)
	if v == retry.Final && (e.Expired() || e.Code == "BLOB_UPLOAD_UNKNOWN") {
		v = retry.Transient
	}
	return v, e.notBefore
}

// maybeExists reports whether a blob may have been refused because it is there.
func (e *Error) maybeExists() bool {
	return e.Status == http.StatusConflict || strings.Contains(e.Message, "already exists") || strings.Contains(e.Message, "AlreadyExists")
}

// Unauthorized reports whether the credentials were refused.
func (e *Error) Unauthorized() bool {
	return !e.Elsewhere && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// Expired reports whether the registry may name another URL that is accepted.
func (e *Error) Expired() bool { return e.Elsewhere && calls.IsURLExpired(e.Status, e.Code) }

// Retry sends a request by the policy of [retry.Default] until it succeeds or fails in a way that a retry does not
// change.
func Retry(ctx context.Context, send func(ctx context.Context) error) error {
	return retry.Do(ctx, retry.Default(), send)
}
