package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

const (
	// clientPatience is how long a client may take no byte of an answer.
	clientPatience = time.Minute
	// answerChunk is how many bytes of a file a client may take in that time.
	answerChunk = 256 << 10
	// unreadTime is how long the body of a request may take that is answered without it: the server reads some of it
	// before it sends the answer, whose time already runs.
	unreadTime = 30 * time.Second
)

// answer is an [http.ResponseWriter] that notes what is answered, and gives up on clients
// that do not read.
type answer struct {
	http.ResponseWriter
	patience time.Duration
	draining *atomic.Bool // whether the client is to send no other request over its connection
	begin    func()       // is called when the answer begins; nil is nothing
	status   int
	reason   string // of an answer that is a failure
	bytes    int64
}

// Unwrap lets an [http.ResponseController] find the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	a.began(status)
	a.ResponseWriter.WriteHeader(status)
}

// began notes that the answer begins.
func (a *answer) began(status int) {
	if a.draining.Load() {
		a.Header().Set("Connection", "close")
	}
	if a.status = status; a.begin != nil {
		a.begin()
	}
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.began(http.StatusOK)
	}
	a.extend()
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// extend lets the next write take as long as a client may. What writes elsewhere than to a
// connection has no such limit.
func (a *answer) extend() {
	_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(a.patience))
}

// ReadFrom sends a part of a file, of which the operating system copies the bytes, or else
// passes on what src has as soon as it has it.
func (a *answer) ReadFrom(src io.Reader) (n int64, err error) {
	if part, ok := src.(*io.LimitedReader); ok {
		switch r := part.R.(type) {
		case *os.File:
			return a.sendFile(part)
		case *follower:
			return a.sendGrowing(part, r)
		}
	}
	return a.passOn(src)
}

// passOn sends what src has as soon as it has it.
func (a *answer) passOn(src io.Reader) (n int64, err error) {
	buffer := make([]byte, 32<<10)
	for {
		m, err := src.Read(buffer)
		if m > 0 {
			if m, err := a.Write(buffer[:m]); err != nil {
				return n + int64(m), err
			}
			n += int64(m)
			if err := a.flush(); err != nil {
				return n, err
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// sendGrowing sends a part of a file that is still written, as far as it may be read.
func (a *answer) sendGrowing(part *io.LimitedReader, r *follower) (n int64, err error) {
	for part.N > 0 && r.rest == nil {
		early, more, err := r.next()
		if err != nil {
			return n, err
		}
		if r.rest != nil {
			break
		}
		var m int64
		if len(early) > 0 {
			var k int
			k, err = a.Write(early[:min(part.N, int64(len(early)))])
			m = int64(k)
		} else if _, err = r.file.Seek(r.at, io.SeekStart); err == nil {
			m, err = a.sendFile(&io.LimitedReader{R: r.file, N: min(part.N, more)})
		}
		r.at, part.N, n = r.at+m, part.N-m, n+m
		if err != nil || m == 0 {
			return n, err
		}
		if err := a.flush(); err != nil {
			return n, err
		}
	}
	if part.N == 0 {
		return n, nil
	}
	m, err := a.passOn(part)
	return n + m, err
}

// flush sends what is buffered, if the answer is to a connection.
func (a *answer) flush() error {
	if err := http.NewResponseController(a.ResponseWriter).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

func (a *answer) sendFile(part *io.LimitedReader) (n int64, err error) {
	for part.N > 0 && err == nil {
		a.extend()
		var m int64
		m, err = io.Copy(a.ResponseWriter, &io.LimitedReader{R: part.R, N: min(part.N, answerChunk)})
		part.N -= m
		n += m
		a.bytes += m
		if m == 0 {
			break // the file is shorter
		}
	}
	return n, err
}
