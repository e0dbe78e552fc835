package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"

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

// atFault returns the failure of the source to read a blob, without the destination that the errors around it name first,
// and any other error as it is.
func atFault(err error, blob digest.Digest) error {
	var named *sourceFailure
	if !errors.As(err, &named) {
		return err
	}
	if strings.Contains(named.Error(), string(blob)) {
		return named
	}
	return &sourceFailure{named.src, fmt.Errorf("blob %s: %w", blob, named.err)}
}

// readFailure marks an error of reading ranges, as opposed to one of the file that they are
// written to.
type readFailure struct{ error }

// Unwrap returns what the failure means for retries, too.
func (e *readFailure) Unwrap() error { return e.error }

// blameReading names src in an error that is marked as one of reading.
func blameReading(src fmt.Stringer, err error) error {
	var read *readFailure
	if errors.As(err, &read) {
		return blameSource(src, err)
	}
	return err
}

// marked returns an opener whose errors are marked as those of reading, as are those of what
// it opens.
func marked(open content.RangeOpener) content.RangeOpener {
	return func(ctx context.Context, first, n int64) (io.ReadCloser, error) {
		body, err := open(ctx, first, n)
		if err != nil {
			return nil, &readFailure{err}
		}
		return &markedBody{body}, nil
	}
}

// markedBody is a range whose errors are marked.
type markedBody struct{ io.ReadCloser }

// Read implements io.Reader.
func (b *markedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &readFailure{err}
	}
	return n, err
}

// blamedBody is a blob whose errors name the source.
type blamedBody struct {
	io.ReadCloser
	src  fmt.Stringer
	file any // that may be a [content.Changer]
}

// Read implements io.Reader.
func (b *blamedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = content.BlameChange(b.file, err)
	}
	return n, blameSource(b.src, err)
}

// namedBody is a blob whose errors name the source and the blob.
type namedBody struct {
	io.ReadCloser
	src  fmt.Stringer
	blob digest.Digest
}

// Read implements io.Reader.
func (b *namedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	return n, atFault(blameSource(b.src, err), b.blob)
}
