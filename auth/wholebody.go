package auth

import (
	"bytes"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// wholeBody sends the body of a request out of memory. The SDK closes its own
// body as soon as the head of the answer is there; if net/http has yet to see
// the end of it, it drops the connection in the middle of the answer, and the
// call is made a second time.
type wholeBody struct{ aws.HTTPClient }

// maxWholeBody bounds the copy, in bytes. Requests above it are layer parts and
// large manifests, whose answers are short enough to arrive at once.
const maxWholeBody = 1 << 20

func (c wholeBody) Do(req *http.Request) (*http.Response, error) {
	if req.Body == nil || req.ContentLength <= 0 || req.ContentLength > maxWholeBody {
		return c.HTTPClient.Do(req)
	}
	data, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	if err := req.Body.Close(); err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(data))
	return c.HTTPClient.Do(req)
}
