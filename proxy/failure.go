package proxy

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// failure is a refusal in the form of the distribution API.
type failure struct {
	status  int
	code    string // of https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
	message string
	// retryAfter is when the client is asked to try again; 0 says nothing.
	retryAfter time.Duration
	cause      error // nil, or what the message is of
	gone       bool  // the client went away
}

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

// Error returns the message.
func (f *failure) Error() string { return f.message }

// failureOf returns the failure that err is, or makes the error of an upstream registry one
// of a request of this kind.
func failureOf(kind string, err error) *failure {
	if f := (*failure)(nil); errors.As(err, &f) {
		return f
	}
	f := &failure{status: http.StatusBadGateway, code: "UNKNOWN", message: safetext.Line(safetext.MaskUsers(err.Error())), cause: err}
	switch {
	case errors.Is(err, content.ErrNotFound):
		f.status = http.StatusNotFound
		f.code = map[string]string{kindBlobs: "BLOB_UNKNOWN", kindUploads: "BLOB_UPLOAD_UNKNOWN", kindManifests: "MANIFEST_UNKNOWN"}[kind]
		if f.code == "" {
			f.code = "NAME_UNKNOWN"
		}
	case errors.Is(err, content.ErrUnsupported):
		f.status, f.code = http.StatusBadRequest, "UNSUPPORTED"
	}
	return f
}

// document returns the failure as clients read it.
func (f *failure) document() []byte {
	type entry struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	data, err := json.Marshal(map[string][]entry{"errors": {{f.code, f.message}}})
	if err != nil {
		return []byte(`{"errors":[]}`)
	}
	return data
}

// write answers a request with the failure.
func (f *failure) write(w http.ResponseWriter) {
	data := f.document()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(f.status)
	_, _ = w.Write(data) // a client that has gone needs no answer
}
