package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// sourceFailure is an error of reading a blob. It names the source, since the destination is
// what the errors around it name.
type sourceFailure struct {
	src fmt.Stringer
	err error
}

// Error implements error.
func (e *sourceFailure) Error() string {
	text := e.err.Error()
	if name := e.src.String(); !strings.Contains(text, name) {
		return name + ": " + text
	}
	return text
}

// Unwrap returns what the failure means for retries, too.
func (e *sourceFailure) Unwrap() error { return e.err }

// blameSource names src in an error that is its fault, once.
func blameSource(src fmt.Stringer, err error) error {
	var named *sourceFailure
	if err == nil || err == io.EOF || errors.As(err, &named) {
		return err
	}
	return &sourceFailure{src, err}
}

// blamed returns an opener whose errors, and those of what it opens, name src.
func blamed(src fmt.Stringer, open content.RangeOpener) content.RangeOpener {
	return func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
		body, err := open(ctx, first, n)
		if err != nil {
			return nil, blameSource(src, err)
		}
		return &blamedBody{body, src}, nil
	}
}

// blamedBody is a blob, or a part of one, whose errors name the source.
type blamedBody struct {
	io.ReadCloser
	src fmt.Stringer
}

// Read implements io.Reader.
func (b *blamedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	return n, blameSource(b.src, err)
}
