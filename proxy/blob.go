package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/transfer/content"
)

const blobType = "application/octet-stream"

// blob answers with a blob, or the ranges of it that were asked for.
func (h *Handler) blob(w http.ResponseWriter, r *http.Request, t target) error {
	d, repo := digest.Digest(t.reference), h.repository(t)
	size, known, err := h.grantedBlob(r.Context(), repo, d)
	if err != nil {
		return err
	}
	if !known {
		if size, err = h.askBlob(r.Context(), repo, d); err != nil {
			return err
		}
	}
	for range 3 { // what is on its way may become an entry in between
		file, err := h.cache.open(r.Context(), d)
		if err == nil {
			defer file.Close()
			h.metrics.cacheHit(kindBlobs)
			serveBlob(w, r, d, file)
			return nil
		}
		if r.Method == http.MethodHead {
			setDigest(w, d)
			w.Header().Set("Accept-Ranges", "bytes")
			w.Header().Set("Content-Type", blobType)
			w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
			w.WriteHeader(http.StatusOK)
			return nil
		}
		src, err := h.source(r.Context(), repo)
		if err != nil {
			return err
		}
		err = h.fetchBlob(w, r, repo, src, content.Descriptor{Digest: d, Size: size})
		if !errors.Is(err, errMoved) {
			return err
		}
	}
	return fmt.Errorf("blob %s: it is removed from the cache as often as it is fetched", d)
}

// fetchBlob answers with a blob that is not in the cache. The error is [errMoved] if it is
// there now.
func (h *Handler) fetchBlob(w http.ResponseWriter, r *http.Request, repo *repository, src content.Source, d content.Descriptor) error {
	body, err := h.follow(preparedSource{src, repo, &h.prepared}, d)
	if errors.Is(err, errNoRoom) {
		h.options.Logger.Warn("cache", "digest", d.Digest, "size", d.Size, "error", err.Error())
		h.metrics.cacheMiss(kindBlobs)
		return h.pass(w, r, src, d)
	}
	if err != nil {
		return err
	}
	defer body.Close()
	h.metrics.cacheMiss(kindBlobs)
	switch err := body.begin(r.Context()); {
	case errors.Is(err, errMoved):
		return err
	case isDiskFailure(err):
		return h.pass(w, r, src, d)
	case err != nil: // it can still be refused properly
		repo.grants.forgetBlob(d.Digest) // its size may be wrong
		return err
	}
	body.resume = func(at int64) (io.ReadCloser, error) { return h.resume(body.ctx, src, d, body, at) }
	serveBlob(w, r, d.Digest, body)
	return nil
}

// serveBlob answers from the cache. An error while it reads ends the connection before all
// bytes that were announced.
func serveBlob(w http.ResponseWriter, r *http.Request, d digest.Digest, body io.ReadSeeker) {
	// Several ranges at once are for no engine, and would be read while the body is closed if the client goes. A server
	// may ignore them: https://www.rfc-editor.org/rfc/rfc9110#section-14.2.
	if strings.Contains(r.Header.Get("Range"), ",") {
		r.Header.Del("Range")
	}
	setDigest(w, d)
	w.Header().Set("Content-Type", blobType)
	http.ServeContent(w, r, "", time.Time{}, body)
}

// setDigest sets the headers that name content.
func setDigest(w http.ResponseWriter, d digest.Digest) {
	w.Header().Set("Docker-Content-Digest", string(d))
	w.Header().Set("ETag", `"`+string(d)+`"`)
}

// askBlob asks the registry whether the repository has a blob, and returns its size in bytes.
func (h *Handler) askBlob(ctx context.Context, repo *repository, d digest.Digest) (int64, error) {
	src, err := h.source(ctx, repo)
	if err != nil {
		return 0, err
	}
	stat, ok := src.(content.BlobStatter)
	if !ok {
		return 0, fmt.Errorf("%s: %w: it reports no sizes of blobs", src, content.ErrUnsupported)
	}
	found, err := stat.StatBlob(ctx, d)
	if err != nil {
		return 0, err
	}
	if err := content.CheckDescriptor(content.Descriptor{Digest: d, Size: found.Size}); err != nil {
		return 0, err
	}
	repo.grants.addBlob(d, found.Size)
	return found.Size, nil
}
