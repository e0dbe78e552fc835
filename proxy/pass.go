package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// maxPasses is how many blobs are passed on at once without the cache: each has a connection
// for as long as its client reads.
const maxPasses = 32

// pass answers with a blob that the cache has no room for: all of it, for this client alone.
func (h *Handler) pass(w http.ResponseWriter, r *http.Request, src content.Source, d content.Descriptor) error {
	if err := h.passes.Acquire(r.Context(), 1); err != nil {
		return err
	}
	defer h.passes.Release(1)
	body, err := h.resume(r.Context(), src, d, nil, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	first := make([]byte, 1)
	if d.Size > 0 { // an error can still be answered
		if _, err := io.ReadFull(body, first); err != nil {
			return err
		}
	}
	setDigest(w, d.Digest)
	w.Header().Set("Content-Type", blobType)
	w.Header().Set("Content-Length", strconv.FormatInt(d.Size, 10))
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(first[:min(d.Size, 1)])
	if err == nil {
		_, err = io.Copy(w, body)
	}
	if err != nil {
		if r.Context().Err() == nil { // otherwise the client went away
			h.options.Logger.Warn("blob", "digest", d.Digest, "error", failureOf(kindBlobs, err).message)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// resume reads a blob from the registry from its byte at on. file has the bytes before, which
// were not verified. The last bytes are held back until the digest of the whole agrees.
func (h *Handler) resume(ctx context.Context, src content.Source, d content.Descriptor, file io.ReaderAt, at int64) (io.ReadCloser, error) {
	held := &heldReader{hash: d.Digest.Verifier(), left: d.Size - at, d: d}
	if at > 0 {
		if _, err := io.Copy(held.hash, io.NewSectionReader(file, 0, at)); err != nil {
			return nil, err
		}
	}
	body, err := transfer.OpenBlobAt(ctx, h.counted(src), d, at)
	held.body = body
	return held, err
}

// heldReader reads a blob. Before its last bytes it reads all of them and compares the digest.
type heldReader struct {
	body io.ReadCloser
	hash interface {
		io.Writer
		Verified() bool
	}
	left int64 // bytes that body still has
	d    content.Descriptor
	last []byte // verified
}

func (h *heldReader) Read(p []byte) (int, error) {
	if h.left > heldBack {
		n, err := h.body.Read(p[:min(int64(len(p)), h.left-heldBack)])
		_, _ = h.hash.Write(p[:n]) // a hash has no errors
		h.left -= int64(n)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	}
	if h.left > 0 {
		last := make([]byte, h.left)
		if _, err := io.ReadFull(h.body, last); err != nil {
			return 0, err
		}
		_, _ = h.hash.Write(last)
		if !h.hash.Verified() {
			return 0, fmt.Errorf("blob %s: %w: the registry sent bytes with another digest", h.d.Digest, content.ErrIntegrity)
		}
		h.last, h.left = last, 0
	}
	if len(h.last) == 0 {
		return 0, io.EOF
	}
	n := copy(p, h.last)
	h.last = h.last[n:]
	return n, nil
}

func (h *heldReader) Close() error { return h.body.Close() }

// isDiskFailure reports whether err is that of writing to the cache.
func isDiskFailure(err error) bool {
	var file *fs.PathError
	return errors.As(err, &file)
}
