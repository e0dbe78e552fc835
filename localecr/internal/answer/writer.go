// Package answer sends an HTTP answer whose end no client sees before the server has recorded it.
package answer

import (
	"io"
	"net/http"
	"strconv"
)

// A Writer counts the bytes of an answer's body and keeps its status. It holds back the last
// byte of a body whose length is known until finish, so that no client has seen the end of an answer
// that the audit log does not have yet. (The end of any other body is net/http's to write, behind the
// handler.) It passes files on to the connection, which sends them without copying.
type Writer struct {
	http.ResponseWriter
	Status int   // 0 before there is one
	Bytes  int64 // of the body, with the one that is held back

	left int64 // bytes of the body that are still to come; -1 if that is not known
	held []byte
}

// New returns a Writer of the answer that w sends.
func New(w http.ResponseWriter) *Writer { return &Writer{ResponseWriter: w, left: -1} }

// Unwrap returns the writer of the connection, for [http.ResponseController].
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *Writer) WriteHeader(status int) {
	if w.Status == 0 && status >= http.StatusOK {
		w.Status = status
		if n, err := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64); err == nil {
			w.left = n
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *Writer) Write(p []byte) (int, error) {
	if w.Status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	now := p
	if w.left > 0 && int64(len(p)) == w.left {
		now, w.held = p[:len(p)-1], []byte{p[len(p)-1]}
	}
	n, err := w.ResponseWriter.Write(now)
	if err == nil {
		n = len(p)
	}
	w.took(int64(n))
	return n, err
}

// ReadFrom keeps the form in which net/http recognises a file: an io.LimitedReader.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	if w.Status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	limited, ok := r.(*io.LimitedReader)
	if !ok || w.left <= 0 || limited.N != w.left {
		n, err := io.Copy(struct{ io.Writer }{w}, r) // by Write
		return n, err
	}
	limited.N--
	n, err := io.Copy(w.ResponseWriter, limited)
	w.took(n)
	if err != nil || limited.N > 0 {
		return n, err
	}
	limited.N = 1
	last, err := io.Copy(struct{ io.Writer }{w}, limited)
	return n + last, err
}

func (w *Writer) took(n int64) {
	w.Bytes += n
	if w.left > 0 {
		w.left -= n
	}
}

// Finish sends what was held back.
func (w *Writer) Finish() {
	if len(w.held) > 0 {
		_, _ = w.ResponseWriter.Write(w.held) // fails only when the client has gone
	}
}
