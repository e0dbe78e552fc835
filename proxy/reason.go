package proxy

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxReason bounds the text of a status line in bytes.
	maxReason = 1000
	// reasonTime bounds how long a status line may take to be sent.
	reasonTime = 10 * time.Second
)

// fail answers a request with the failure. Engines do not always print what the body says: an
// answer to HEAD, by which containerd begins a pull, has none, and docker, podman and skopeo
// print only the status line of an error of a server. So these have the reason there, unless it is
// that nothing was found: that is no surprise to a client that is about to push.
func (a *answer) fail(r *http.Request, f *failure) {
	a.reason = f.message
	if f.retryAfter > 0 {
		a.Header().Set("Retry-After", strconv.FormatFloat(math.Ceil(f.retryAfter.Seconds()), 'f', 0, 64))
	}
	unprinted := r.Method == http.MethodHead || f.status >= http.StatusInternalServerError
	if !unprinted || f.status == http.StatusNotFound || !a.ended(r) || !a.failInStatusLine(r, f) {
		f.write(a)
	}
}

// ended reports whether the client has sent all of its request: closing the connection while it
// sends would keep it from reading the answer.
func (a *answer) ended(r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody {
		return true
	}
	_ = http.NewResponseController(a.ResponseWriter).SetReadDeadline(time.Now().Add(time.Second)) // there is a connection, or nothing to wait for
	n, err := r.Body.Read(make([]byte, 1))
	return n == 0 && errors.Is(err, io.EOF)
}

// failInStatusLine answers with the message in the status line, whose text is free
// (https://www.rfc-editor.org/rfc/rfc9112#section-4), and reports whether it did. [net/http] sends
// only the standard texts, so the connection is taken over, and closed.
func (a *answer) failInStatusLine(r *http.Request, f *failure) bool {
	conn, buffer, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err != nil {
		return false // HTTP/2 has no such text
	}
	defer conn.Close()
	a.status = f.status
	_ = conn.SetDeadline(time.Now().Add(reasonTime)) // without one the client waits for itself
	data := f.document()
	header := a.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(data)))
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	header.Set("Connection", "close")
	fmt.Fprintf(buffer, "HTTP/1.1 %d %s: %s\r\n", f.status, http.StatusText(f.status), reasonPhrase(f.message))
	_ = header.Write(buffer) // these errors are that of Flush
	_, _ = buffer.WriteString("\r\n")
	if r.Method != http.MethodHead {
		n, _ := buffer.Write(data)
		a.bytes += int64(n)
	}
	_ = buffer.Flush() // a client that has gone needs no answer
	return true
}

// reasonPhrase returns a message in the characters of a status line.
func reasonPhrase(message string) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, message)
	return text[:min(len(text), maxReason)]
}
