package v2

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/calls"
)

// Refused closes an answer and makes it an error.
func Refused(r *http.Response) error {
	defer r.Body.Close()
	u := r.Request.URL
	return fmt.Errorf("GET %s://%s%s: %s%s", u.Scheme, u.Host, u.Path, r.Status, s3Error(r.Body))
}

// s3Error is what the XML of an S3 error says, for the end of a message.
func s3Error(r io.Reader) string {
	data, err := io.ReadAll(io.LimitReader(r, calls.MaxRefusal))
	if err != nil {
		return ""
	}
	code, message := calls.ParseS3Error(data)
	if code == "" {
		return ""
	}
	return ": " + auth.Redact(strings.Map(printable, code+": "+message))
}
