package ecr

import (
	"io"
	"net/http"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"

	"github.com/ecrkit/ecrkit/internal/calls"
)

// checkedAnswer refuses answers of the ECR API that are not UTF-8, as JSON must be
// (https://www.rfc-editor.org/rfc/rfc8259#section-8.1): Go's decoder would put
// something else where a byte was damaged, into a digest or an upload ID.
func checkedAnswer(next calls.Sender) calls.Sender {
	return func(r *http.Request) (*http.Response, error) {
		response, err := next(r)
		if err != nil {
			return nil, err
		}
		response.Body = &checkedBody{transform.NewReader(response.Body, encoding.UTF8Validator), response.Body}
		return response, nil
	}
}

type checkedBody struct {
	io.Reader
	io.Closer
}
