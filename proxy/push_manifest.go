package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/imagetree"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// putManifest stores a manifest. The registry refuses one whose blobs or manifests it does
// not have.
func (h *Handler) putManifest(w http.ResponseWriter, r *http.Request, t target) error {
	data, release, err := h.receiveManifest(w, r, t.host)
	if err != nil {
		return err
	}
	defer release()
	d, tag := digest.FromBytes(data), t.reference
	if t.isDigest() {
		if string(d) != t.reference {
			return &failure{status: http.StatusBadRequest, code: "DIGEST_INVALID", message: fmt.Sprintf("the manifest has the digest %s", d)}
		}
		tag = ""
	}
	if err := takeRoom(r.Context(), int64(len(data))); err != nil {
		return err
	}
	m, err := content.CheckManifest(content.Manifest{
		Descriptor: content.Descriptor{MediaType: r.Header.Get("Content-Type"), Digest: d, Size: int64(len(data))}, Content: data,
	})
	leaveRoom(r.Context())
	if err != nil {
		f := failureOf(t.kind, err)
		f.status, f.code = http.StatusBadRequest, "MANIFEST_INVALID"
		return f
	}
	dst, err := h.target(r.Context(), t)
	if err != nil {
		return err
	}
	if err := h.publish(r.Context(), dst, t, m, tag); err != nil {
		return pushFailure(t, err)
	}
	if subject := subjectOf(data); subject != "" {
		w.Header().Set("OCI-Subject", subject)
	}
	created(w, t, kindManifests, d)
	return nil
}

// publish stores a manifest, and tags it once what comes before tags is done.
func (h *Handler) publish(ctx context.Context, dst content.Target, t target, m content.Manifest, tag string) error {
	if before := h.options.BeforeTag; before != nil && tag != "" {
		if err := dst.PutManifest(ctx, m); err != nil {
			return err
		}
		leaveRoom(ctx) // that of the answer
		if err := before(ctx, t.host, t.repository, dst, m); err != nil && !errors.Is(err, content.ErrConflict) {
			return h.refuse(ctx, fmt.Sprintf("%s/%s@%s", t.host, t.repository, m.Descriptor.Digest), err)
		} else if err != nil {
			return err
		}
		leaveRoom(ctx) // what was read for a signature
	}
	return dst.PutTagged(ctx, m, tag)
}

// subjectOf returns the digest of the manifest that one refers to, "" if there is none.
func subjectOf(data []byte) string {
	var m struct {
		Subject *struct {
			Digest string `json:"digest"`
		} `json:"subject"`
	}
	if json.Unmarshal(data, &m) != nil || m.Subject == nil {
		return ""
	}
	return m.Subject.Digest
}

// head answers a HEAD request about content by its digest, if it can. A client that is about
// to push asks so: that the cache has it is no answer. Without an answer of the registry it is one
// to who pulls.
//
// Whether a layer exists is answered without verification: it is what the registry answers to
// whoever may push, no byte of the layer goes with it, and without it each push would send
// all layers again. Where the policy takes no image at all, or cannot be read, nothing is answered.
func (h *Handler) head(w http.ResponseWriter, r *http.Request, t target) (done bool, err error) {
	if _, err := h.demand(r.Context(), h.repository(t)); err != nil {
		return true, err
	}
	if t.kind == kindBlobs { // who pulls does not ask so
		h.repository(t).pushing()
	}
	d := digest.Digest(t.reference)
	if size, ok := h.uploads.pushed(t); ok && t.kind == kindBlobs {
		headBlob(w, d, size)
		return true, nil
	}
	src, err := h.source(r.Context(), h.repository(t))
	if err != nil {
		return false, nil
	}
	found := content.Descriptor{}
	if t.kind == kindManifests {
		_, err = imagetree.ResolveTyped(r.Context(), src, t.reference)
	} else if stat, ok := src.(content.BlobStatter); ok {
		found, err = stat.StatBlob(r.Context(), d)
	}
	switch {
	case errors.Is(err, content.ErrNotFound):
		return true, err
	case err == nil && found.Size > 0:
		headBlob(w, d, found.Size)
		return true, nil
	}
	return false, nil
}

func headBlob(w http.ResponseWriter, d digest.Digest, size int64) {
	setDigest(w, d)
	w.Header().Set("Accept-Ranges", "bytes")
	w.Header().Set("Content-Type", blobType)
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.WriteHeader(http.StatusOK)
}
