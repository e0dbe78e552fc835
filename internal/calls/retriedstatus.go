package calls

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"time"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// JudgeStatus returns what the status of an HTTP answer means, whatever service it is from. code is the error code in
// the body, "" if there is none.
func JudgeStatus(status int, code string) retry.Verdict {
	switch {
	case status == http.StatusTooManyRequests, code == "TOOMANYREQUESTS", // of the distribution API
		status == http.StatusServiceUnavailable && code == "SlowDown": // of Amazon S3
		return retry.Throttled
	case status >= http.StatusInternalServerError && status != http.StatusNotImplemented, status == http.StatusRequestTimeout:
		return retry.Transient
	}
	return retry.Final
}

// judgeAnswer returns what the answer to an HTTP request means, and before which time no other one is wanted.
func judgeAnswer(ctx context.Context, r *http.Response, err error) (retry.Verdict, time.Time) {
	if err != nil {
		return retry.Judge(ctx, err)
	}
	v := retry.Final
	if r.StatusCode >= http.StatusBadRequest {
		v = JudgeStatus(r.StatusCode, ErrorCode(r))
	}
	if v == retry.Final {
		return v, time.Time{}
	}
	return v, NotBefore(r.StatusCode, r.Header, retry.ClockOf(ctx).Now())
}

// MaxRefusal is how many bytes are read of the body of an answer that refuses.
const MaxRefusal = 8 << 10

// keepRefusal reads the body of an answer that refuses into memory.
func keepRefusal(r *http.Response) error {
	defer r.Body.Close()
	data, err := io.ReadAll(io.LimitReader(r.Body, MaxRefusal))
	r.Body = io.NopCloser(bytes.NewReader(data))
	return err
}

// ErrorCode returns the code in the XML of an answer that [Call.Send] returned, "" if there is none. The body can be
// read again.
func ErrorCode(r *http.Response) string {
	data, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(data))
	if err != nil {
		return ""
	}
	code, _ := ParseS3Error(data)
	return code
}

// ParseS3Error reads the XML of an error of Amazon S3; code is "" if it is not one:
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
func ParseS3Error(data []byte) (code, message string) {
	var doc struct{ Code, Message string }
	if xml.Unmarshal(data, &doc) != nil {
		return "", ""
	}
	return doc.Code, doc.Message
}

// IsURLExpired reports whether a URL that is a credential was refused in a way in which a new URL for the same object
// may be accepted. code is the error code of the answer, "" if there is none. Stores answer 401 or 403, and Amazon S3
// answers 400 where the session of the keys that have signed the URL has ended.
func IsURLExpired(status int, code string) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return true
	case http.StatusBadRequest:
		switch code {
		case "", "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
			return true
		}
	}
	return false
}
