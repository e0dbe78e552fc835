package calls

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// FuzzJudgeAnswer has a server refuse in any words.
func FuzzJudgeAnswer(f *testing.F) {
	f.Add(403, "", []byte("<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"))
	f.Add(503, "", []byte("<Error><Code>SlowDown</Code></Error>"))
	f.Add(429, "1", []byte(""))
	f.Add(416, "", []byte("<Error>"))
	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		response := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {retryAfter}}, Body: io.NopCloser(bytes.NewReader(body))}
		check(t, keepRefusal(response))
		v, _ := judgeAnswer(t.Context(), response, nil)
		if status == http.StatusTooManyRequests && v != retry.Throttled || status < 400 && v != retry.Final {
			t.Errorf("%d is %v", status, v)
		}
		kept, err := io.ReadAll(response.Body)
		check(t, err)
		if !bytes.Equal(kept, body[:min(len(body), MaxRefusal)]) {
			t.Errorf("%d bytes of the answer are kept of %d", len(kept), len(body))
		}
	})
}
