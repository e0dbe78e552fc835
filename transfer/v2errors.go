package transfer

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
	"github.com/ecrkit/ecrkit/transfer/internal/pace"
)

// v2Error is a refusal of a registry.
type v2Error struct {
	place      string // method and URL without its query
	status     int
	code       string // of the distribution API, "" if there is none
	message    string
	retryAfter time.Duration // not above 0 if the registry said nothing
	elsewhere  bool          // it was not the registry but a server to which it led
}

func (e *v2Error) Error() string {
	text := fmt.Sprintf("%s: %d %s", e.place, e.status, http.StatusText(e.status))
	for _, s := range []string{e.code, e.message} {
		if s != "" {
			text += ": " + s
		}
	}
	return text
}

// Is gives the codes of the distribution API the meaning that they have here.
func (e *v2Error) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.status == http.StatusNotFound
	case ErrIntegrity:
		return e.code == "DIGEST_INVALID" || e.code == "SIZE_INVALID"
	case ErrConflict:
		return e.isImmutable()
	}
	return false
}

// isImmutable tells whether a tag may not be moved. Registries have no common code
// for that.
func (e *v2Error) isImmutable() bool {
	return e.status == http.StatusConflict || e.status == http.StatusPreconditionFailed ||
		e.status >= 400 && e.status < 500 && strings.Contains(strings.ToLower(e.message), "immutable")
}

// maxErrorBody is how much of an error is read, in bytes.
const maxErrorBody = 64 << 10

// newV2Error reads a refusal and closes it.
func newV2Error(place string, r *http.Response) *v2Error {
	defer r.Body.Close()
	e := &v2Error{place: place, status: r.StatusCode, retryAfter: time.Until(pace.RetryAfter(r.Header, time.Now()))}
	// What can't be read says nothing.
	data, _ := io.ReadAll(io.LimitReader(r.Body, maxErrorBody))
	e.code, e.message = decodeV2Errors(data)
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
	return cleanV2Error(doc.Errors[0].Code, doc.Errors[0].Message)
}

// cleanV2Error makes of the words of a registry what may be shown.
func cleanV2Error(code, message string) (string, string) {
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
func (e *v2Error) passing() bool {
	switch e.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return e.retryAfter <= defaultPatience().throttled
	}
	return e.expired() || e.code == "BLOB_UPLOAD_UNKNOWN" || e.code == "TOOMANYREQUESTS"
}

// maybeExists tells whether a blob may have been refused because it is there.
func (e *v2Error) maybeExists() bool {
	return e.status == http.StatusConflict || strings.Contains(e.message, "already exists") || strings.Contains(e.message, "AlreadyExists")
}

// unauthorized tells whether the credentials were refused.
func (e *v2Error) unauthorized() bool {
	return !e.elsewhere && (e.status == http.StatusUnauthorized || e.status == http.StatusForbidden)
}

// expired tells whether another URL may be had of the registry that serves.
func (e *v2Error) expired() bool {
	return e.elsewhere && (e.status == http.StatusBadRequest || e.status == http.StatusUnauthorized || e.status == http.StatusForbidden)
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

// retryV2 calls send until it succeeds or fails in a way that another try cannot
// mend. It waits as long as the registry asks for; a refusal as one too many is
// no failed try. The context of send says which requests repeat others.
func retryV2(ctx context.Context, send func(ctx context.Context) error) error {
	pause, try := firstV2Pause, 1
	throttled := time.Time{}
	for {
		err := send(ctx)
		if err == nil || ctx.Err() != nil || !mayPass(err) {
			return err
		}
		wait := pause/2 + rand.N(pause) // not all at once
		var refused *v2Error
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
		case now.Add(wait).Sub(throttled) > defaultPatience().throttled:
			return err
		}
		if err := (systemClock{}).Sleep(ctx, wait); err != nil {
			return err
		}
		pause = min(2*pause, maxPause)
		ctx = repeating(ctx)
	}
}

// tooMany tells whether a request was refused as one too many.
func (e *v2Error) tooMany() bool {
	return e.status == http.StatusTooManyRequests || e.code == "TOOMANYREQUESTS"
}

// mayPass tells whether another try may succeed: after a failure of the network
// and where the registry is busy.
func mayPass(err error) bool {
	var (
		refused *v2Error
		content *contentError
		final   *finalError
		passing *passingError
		token   *auth.Error
		unsafe  *tls.CertificateVerificationError
		name    *net.DNSError
	)
	switch {
	case errors.As(err, &passing):
		return true
	case errors.As(err, &final), errors.As(err, &content), errors.As(err, &token), errors.As(err, &unsafe),
		errors.As(err, &name) && name.IsNotFound, errors.Is(err, auth.ErrPlainHTTP), errors.Is(err, errCredentials),
		errors.Is(err, ErrIntegrity), errors.Is(err, errProtocol), errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &refused):
		return refused.passing()
	}
	return true
}
