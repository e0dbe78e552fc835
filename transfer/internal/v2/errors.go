package v2

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls"
	"github.com/ecrkit/ecrkit/internal/calls/pace"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// ErrCredentials says that credentials would go where they must not.
var ErrCredentials = errors.New("the credentials are not sent")

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
	Place      string // method and URL without its query
	Status     int
	Code       string // of the distribution API, "" if there is none
	Message    string
	retryAfter time.Duration // not above 0 if the registry said nothing
	Elsewhere  bool          // it was not the registry but a server to which it led
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

// Is gives the codes of the distribution API the meaning that they have here.
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

// IsImmutable tells whether a tag may not be moved. Registries have no common code
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
	e := &Error{Place: place, Status: r.StatusCode, retryAfter: time.Until(pace.RetryAfter(r.Header, time.Now()))}
	// What can't be read says nothing.
	data, _ := io.ReadAll(io.LimitReader(r.Body, maxErrorBody))
	e.Code, e.Message = decodeV2Errors(data)
	return e
}

var (
	errorCode = regexp.MustCompile(`^[A-Z0-9_]{1,64}$`)
	urlQuery  = regexp.MustCompile(`(?i)(https?://[^\s?]*)\?\S*`)
)

// decodeV2Errors reads the first error of a body in the form that the distribution
// specification has, {"errors":[{"code","message"}]}; anything else says nothing.
func decodeV2Errors(data []byte) (code, message string) {
	var doc struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(data, &doc) != nil || len(doc.Errors) == 0 {
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

// passing tells whether the same request may succeed later.
func (e *Error) passing() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return e.retryAfter <= calls.DefaultPolicy().Throttled
	}
	return e.Expired() || e.Code == "BLOB_UPLOAD_UNKNOWN" || e.Code == "TOOMANYREQUESTS"
}

// maybeExists tells whether a blob may have been refused because it is there.
func (e *Error) maybeExists() bool {
	return e.Status == http.StatusConflict || strings.Contains(e.Message, "already exists") || strings.Contains(e.Message, "AlreadyExists")
}

// Unauthorized tells whether the credentials were refused.
func (e *Error) Unauthorized() bool {
	return !e.Elsewhere && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// Expired tells whether another URL may be had of the registry that serves.
func (e *Error) Expired() bool {
	return e.Elsewhere && (e.Status == http.StatusBadRequest || e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// passingError is tried again.
type passingError struct{ error }

func (e *passingError) Unwrap() error { return e.error }

// finalError is not tried again.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

const (
	// maxV2Tries is how often a request is sent.
	maxV2Tries = 6
	// firstV2Pause is the wait before the second try; it doubles with each.
	firstV2Pause = 100 * time.Millisecond
)

// Retry calls send until it succeeds or fails in a way that another try cannot
// mend. It waits as long as the registry asks for; a refusal as one too many is
// no failed try. The context of send says which requests repeat others.
func Retry(ctx context.Context, send func(ctx context.Context) error) error {
	pause, try := firstV2Pause, 1
	throttled := time.Time{}
	for {
		err := send(ctx)
		if err == nil || ctx.Err() != nil || !MayPass(err) {
			return err
		}
		wait := pause/2 + rand.N(pause) // not all at once
		var refused *Error
		if errors.As(err, &refused) {
			wait = max(wait, refused.retryAfter)
		}
		switch now := time.Now(); {
		case refused == nil || !refused.tooMany():
			if try++; try > maxV2Tries {
				return err
			}
		case throttled.IsZero():
			throttled = now
		case now.Add(wait).Sub(throttled) > calls.DefaultPolicy().Throttled:
			return err
		}
		if err := (calls.SystemClock{}).Sleep(ctx, wait); err != nil {
			return err
		}
		pause = min(2*pause, calls.MaxPause)
		ctx = calls.Repeating(ctx)
	}
}

// tooMany tells whether a request was refused as one too many.
func (e *Error) tooMany() bool {
	return e.Status == http.StatusTooManyRequests || e.Code == "TOOMANYREQUESTS"
}

// MayPass tells whether another try may succeed: after a failure of the network
// and where the registry is busy.
func MayPass(err error) bool {
	var (
		refused *Error
		data    *content.SourceError
		final   *finalError
		passing *passingError
		token   *auth.Error
		unsafe  *tls.CertificateVerificationError
		name    *net.DNSError
	)
	switch {
	case errors.As(err, &passing):
		return true
	case errors.As(err, &final), errors.As(err, &data), errors.As(err, &token), errors.As(err, &unsafe),
		errors.As(err, &name) && name.IsNotFound, errors.Is(err, auth.ErrPlainHTTP), errors.Is(err, ErrCredentials),
		errors.Is(err, content.ErrIntegrity), errors.Is(err, content.ErrProtocol), errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &refused):
		return refused.passing()
	}
	return true
}
