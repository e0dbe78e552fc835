package ecr

import (
	"errors"
	"io"
	"net/http"
	"unicode/utf8"

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
		response.Body = &checkedBody{ReadCloser: response.Body}
		return response, nil
	}
}

var errNotUTF8 = errors.New("the answer is not UTF-8")

// checkedBody fails at the end if not before, where bytes are not UTF-8.
type checkedBody struct {
	io.ReadCloser
	begun []byte // a character that has begun; its other bytes are to come
}

func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	text := p[:n]
	for len(b.begun) > 0 && len(text) > 0 && !utf8.FullRune(b.begun) {
		b.begun, text = append(b.begun, text[0]), text[1:]
	}
	if utf8.FullRune(b.begun) {
		if !utf8.Valid(b.begun) {
			return 0, errNotUTF8
		}
		b.begun = b.begun[:0]
	}
	for end := max(0, len(text)-utf8.UTFMax); end < len(text); end++ {
		if !utf8.FullRune(text[end:]) {
			b.begun, text = append(b.begun, text[end:]...), text[:end]
			break
		}
	}
	if !utf8.Valid(text) || err == io.EOF && len(b.begun) > 0 {
		return 0, errNotUTF8
	}
	return n, err
}
