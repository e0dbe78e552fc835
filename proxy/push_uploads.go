package proxy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// maxUploads bounds the uploads that are open at once: docker has five for each push.
	maxUploads = 64
	// uploadIdle is how long an upload stays without a request, and how long a request may
	// send nothing.
	uploadIdle = 5 * time.Minute
	// maxKnown bounds the blobs that are remembered as pushed.
	maxKnown = 4096
	// sizeUnknown is the size of a blob that was mounted.
	sizeUnknown = -1
)

// uploads are those that clients have begun.
type uploads struct {
	streams *transfer.BlobStreams

	mu    sync.Mutex
	all   map[string]*upload // by ID
	known map[string]int64   // sizes of blobs that were pushed, by HOST/REPOSITORY@DIGEST
}

func newUploads(connections int) uploads {
	return uploads{
		streams: transfer.NewBlobStreams(transfer.Options{Connections: connections}),
		all:     map[string]*upload{}, known: map[string]int64{},
	}
}

// upload is one blob on its way to its registry. One request at a time has it.
type upload struct {
	owner  *uploads
	id     string
	t      target
	stream content.BlobStream
	size   int64
	wait   *wait  // watches the requests of stream
	done   func() // ends that

	busy  sync.Mutex
	timer *time.Timer // ends it when nobody has it for too long
}

// begin begins an upload, which the caller has.
func (s *uploads) begin(life context.Context, dst content.Target, t target) (*upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if life.Err() != nil {
		return nil, ending()
	}
	if len(s.all) >= maxUploads {
		return nil, &failure{status: http.StatusTooManyRequests, code: "TOOMANYREQUESTS", retryAfter: retryLater, message: fmt.Sprintf("%d uploads are open; try again when some have ended", maxUploads)}
	}
	stream, err := s.streams.Begin(life, dst)
	if err != nil {
		return nil, err
	}
	u := &upload{owner: s, id: rand.Text(), t: t, stream: stream}
	u.busy.Lock()
	s.all[u.id] = u
	return u, nil
}

// find returns the upload that a request continues, which the caller then has.
func (s *uploads) find(t target) (*upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.all[t.reference]
	if u == nil || u.t.host != t.host || u.t.repository != t.repository {
		return nil, &failure{status: http.StatusNotFound, code: "BLOB_UPLOAD_UNKNOWN", message: "there is no such upload; it may have ended because nothing came for a while"}
	}
	if !u.busy.TryLock() {
		return nil, &failure{status: http.StatusConflict, code: "BLOB_UPLOAD_INVALID", message: "another request sends to this upload"}
	}
	if u.timer != nil {
		u.timer.Stop()
	}
	u.t = t
	return u, nil
}

// leave lets another request continue the upload, for a while.
func (u *upload) leave() {
	u.owner.mu.Lock()
	defer u.owner.mu.Unlock()
	if u.owner.all[u.id] == u {
		u.timer = time.AfterFunc(uploadIdle, func() {
			if u.busy.TryLock() {
				u.end()
			}
		})
	}
	u.busy.Unlock()
}

// end ends an upload that the caller has. Nothing of it is stored.
func (u *upload) end() {
	u.owner.mu.Lock()
	delete(u.owner.all, u.id)
	u.owner.mu.Unlock()
	u.stream.Abort()
	u.done()
}

// close ends all uploads that no request has; the others end with their context.
func (s *uploads) close() {
	s.mu.Lock()
	var idle []*upload
	for _, u := range s.all {
		if u.busy.TryLock() {
			idle = append(idle, u)
		}
	}
	s.mu.Unlock()
	for _, u := range idle {
		if u.timer != nil {
			u.timer.Stop()
		}
		u.end()
	}
}

// remember notes that a repository has a blob which no image may name yet.
func (s *uploads) remember(t target, d digest.Digest, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[t.host+"/"+t.repository+"@"+string(d)] = size
}

// pushed returns the size of a blob that was pushed.
func (s *uploads) pushed(t target) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size, ok := s.known[t.host+"/"+t.repository+"@"+t.reference]
	return size, ok && size != sizeUnknown
}

// continueUpload answers a request about an upload.
func (h *Handler) continueUpload(w http.ResponseWriter, r *http.Request, t target) error {
	u, err := h.uploads.find(t)
	if err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		defer u.leave()
		u.setPlace(w)
		w.WriteHeader(http.StatusNoContent)
		return nil
	case http.MethodPatch:
		if err := u.checkStart(w, r); err != nil {
			u.leave()
			return err
		}
		if err := u.receive(w, r); err != nil {
			return err
		}
		defer u.leave()
		u.accepted(w, r)
		return nil
	case http.MethodPut:
		d, err := sha256Of(r.URL.Query().Get("digest"))
		if err == nil {
			err = u.checkStart(w, r)
		}
		if err != nil {
			u.leave()
			return err
		}
		return h.commit(w, r, u, d)
	case http.MethodDelete:
		u.end()
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	u.leave()
	w.Header().Set("Allow", "GET, HEAD, PATCH, PUT, DELETE")
	return &failure{status: http.StatusMethodNotAllowed, code: "UNSUPPORTED", message: "an upload knows GET, PATCH, PUT and DELETE"}
}

// setPlace sets the headers that say where an upload is and what it has.
func (u *upload) setPlace(w http.ResponseWriter) {
	w.Header().Set("Location", "/v2/"+u.t.name+"/blobs/uploads/"+u.id+u.t.query())
	w.Header().Set("Docker-Upload-UUID", u.id)
	w.Header().Set("Range", fmt.Sprintf("0-%d", max(u.size-1, 0)))
}

// accepted answers that the upload goes on.
func (u *upload) accepted(w http.ResponseWriter, _ *http.Request) {
	u.setPlace(w)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusAccepted)
}

// checkStart refuses a chunk that does not begin where the last one ended.
func (u *upload) checkStart(w http.ResponseWriter, r *http.Request) error {
	value := r.Header.Get("Content-Range")
	if value == "" {
		return nil
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(value, "bytes "), "-")
	if start, err := strconv.ParseInt(first, 10, 64); err == nil && start == u.size {
		return nil
	}
	u.setPlace(w)
	return &failure{status: http.StatusRequestedRangeNotSatisfiable, code: "BLOB_UPLOAD_INVALID", message: fmt.Sprintf("the chunk %.50q does not begin at byte %d", value, u.size)}
}

// receive forwards the body of a request. After an error the upload has ended: what a client
// has sent is not known then.
func (u *upload) receive(w http.ResponseWriter, r *http.Request) error {
	body := &patientBody{r: r.Body, control: http.NewResponseController(w)}
	n, err := io.CopyBuffer(onlyWriter{u.stream}, body, make([]byte, 128<<10))
	u.size += n
	if err == nil {
		return nil
	}
	u.end()
	if body.err != nil {
		return &failure{status: http.StatusBadRequest, code: "BLOB_UPLOAD_INVALID", message: body.brokenOff("blob"), gone: isBrokenOff(body.err)}
	}
	return body.refuse(pushFailure(u.t, u.wait.explain(r.Context(), err)))
}

// refuse returns err once the rest of the body has come: a client that is still sending would not read the answer.
func (b *patientBody) refuse(err error) error {
	_, _ = io.CopyN(io.Discard, b, maxDrained)
	return err
}

// maxDrained bounds what is read of a body that nobody needs, in bytes.
const maxDrained = 64 << 20

// onlyWriter hides other methods.
type onlyWriter struct{ io.Writer }

// patientBody ends the reading of a body from which nothing comes for too long.
type patientBody struct {
	r       io.Reader
	control *http.ResponseController
	until   time.Time // when all of it must have come; zero is any time
	err     error     // of reading
}

func (b *patientBody) Read(p []byte) (int, error) {
	// Without a connection there is no deadline either.
	deadline := time.Now().Add(uploadIdle)
	if !b.until.IsZero() && b.until.Before(deadline) {
		deadline = b.until
	}
	_ = b.control.SetReadDeadline(deadline)
	n, err := b.r.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.control.SetReadDeadline(time.Time{})
	} else if err != nil { // the deadline stays: the server tries to read the rest before it answers
		b.err = err
	}
	return n, err
}

// brokenOff returns why not all of a body has come.
func (b *patientBody) brokenOff(what string) string {
	switch {
	case errors.Is(b.err, os.ErrDeadlineExceeded) && !b.until.IsZero():
		return fmt.Sprintf("the %s did not come within %.0f seconds", what, largeManifestTime.Seconds())
	case errors.Is(b.err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("no byte of the %s came for %.0f minutes", what, uploadIdle.Minutes())
	}
	return "the bytes of the " + what + " broke off"
}

// commit stores what the upload has and the body of the request as the blob d.
func (h *Handler) commit(w http.ResponseWriter, r *http.Request, u *upload, d digest.Digest) error {
	if err := u.receive(w, r); err != nil {
		return err
	}
	defer u.end()
	if err := u.stream.Commit(r.Context(), d); err != nil {
		return pushFailure(u.t, u.wait.explain(r.Context(), err))
	}
	h.uploads.remember(u.t, d, u.size)
	created(w, u.t, kindBlobs, d)
	return nil
}
