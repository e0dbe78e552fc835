package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// writeJSON answers with a small document.
func writeJSON(w http.ResponseWriter, r *http.Request, mediaType string, data []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(data) // a client that has gone needs no answer
	}
}

// manifest answers with a manifest: one that a digest names from the cache, one that a tag
// names after the registry was asked.
func (h *Handler) manifest(w http.ResponseWriter, r *http.Request, t target) error {
	m, err := h.findManifest(r.Context(), t)
	if err != nil {
		return err
	}
	setDigest(w, m.Descriptor.Digest)
	w.Header().Set("Content-Type", m.Descriptor.MediaType)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(m.Content))
	return nil
}

func (h *Handler) findManifest(ctx context.Context, t target) (content.Manifest, error) {
	if t.isDigest() {
		if m, err := h.cachedManifest(ctx, digest.Digest(t.reference)); err == nil {
			return m, nil
		}
	}
	src, err := h.source(ctx, t)
	if err != nil {
		return content.Manifest{}, err
	}
	m, err := content.ResolveTyped(ctx, src, t.reference)
	if err != nil {
		return content.Manifest{}, err
	}
	h.keepManifest(m)
	return m, nil
}

// cachedManifest returns a manifest of the cache.
func (h *Handler) cachedManifest(ctx context.Context, d digest.Digest) (content.Manifest, error) {
	f, err := h.cache.open(ctx, d)
	if err != nil {
		return content.Manifest{}, err
	}
	defer f.Close()
	data, err := content.ReadLimited(f, content.MaxManifestSize)
	if err != nil {
		return content.Manifest{}, err
	}
	return content.CheckManifest(content.Manifest{Descriptor: content.Descriptor{Digest: d, Size: int64(len(data))}, Content: data})
}

// keepManifest puts a manifest into the cache, if that has room.
func (h *Handler) keepManifest(m content.Manifest) {
	p, err := h.cache.create(m.Descriptor)
	if err == nil {
		if _, err = p.Write(m.Content); err != nil {
			p.discard()
		} else {
			err = p.commit()
		}
	}
	if err != nil && !errors.Is(err, errMoved) {
		h.options.Logger.Warn("cache", "digest", m.Descriptor.Digest, "error", err.Error())
	}
}

// setDigest sets the headers that name content.
func setDigest(w http.ResponseWriter, d digest.Digest) {
	w.Header().Set("Docker-Content-Digest", string(d))
	w.Header().Set("ETag", `"`+string(d)+`"`)
}

// blob answers with a blob, or the ranges of it that were asked for.
func (h *Handler) blob(w http.ResponseWriter, r *http.Request, t target) error {
	d := digest.Digest(t.reference)
	for range 3 { // what is on its way may become an entry in between
		file, err := h.cache.open(r.Context(), d)
		if err == nil {
			defer file.Close()
			serveBlob(w, r, d, file)
			return nil
		}
		src, err := h.source(r.Context(), t)
		if err != nil {
			return err
		}
		size, err := h.sizeOf(r.Context(), src, d)
		if err != nil {
			return err
		}
		if r.Method == http.MethodHead {
			setDigest(w, d)
			w.Header().Set("Accept-Ranges", "bytes")
			w.Header().Set("Content-Type", blobType)
			w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
			w.WriteHeader(http.StatusOK)
			return nil
		}
		known := content.Descriptor{Digest: d, Size: size}
		body, err := h.follow(src, known)
		switch {
		case errors.Is(err, errMoved):
			continue
		case errors.Is(err, errNoRoom):
			return h.pass(w, r, src, known)
		case err != nil:
			return err
		}
		defer body.Close()
		body.ctx = r.Context()
		if _, err := body.f.wait(body.ctx, 0); err != nil { // it can still be refused properly
			return err
		}
		serveBlob(w, r, d, body)
		return nil
	}
	return fmt.Errorf("blob %s: it is removed from the cache as often as it is fetched", d)
}

const blobType = "application/octet-stream"

// serveBlob answers from the cache. An error while it reads ends the connection before all
// bytes that were announced.
func serveBlob(w http.ResponseWriter, r *http.Request, d digest.Digest, body io.ReadSeeker) {
	setDigest(w, d)
	w.Header().Set("Content-Type", blobType)
	http.ServeContent(w, r, "", time.Time{}, body)
}

// sizeOf returns the size of a blob in bytes. One that is on its way needs no request.
func (h *Handler) sizeOf(ctx context.Context, src content.Source, d digest.Digest) (int64, error) {
	h.fetches.mu.Lock()
	f := h.fetches.all[d]
	h.fetches.mu.Unlock()
	if f != nil {
		return f.d.Size, nil
	}
	stat, ok := src.(content.BlobStatter)
	if !ok {
		return 0, fmt.Errorf("%s: %w: it reports no sizes of blobs", src, content.ErrUnsupported)
	}
	found, err := stat.StatBlob(ctx, d)
	if err != nil {
		return 0, err
	}
	return found.Size, content.CheckDescriptor(content.Descriptor{Digest: d, Size: found.Size})
}

// pass answers with a blob that the cache has no room for: all of it, for this client alone.
func (h *Handler) pass(w http.ResponseWriter, r *http.Request, src content.Source, d content.Descriptor) error {
	setDigest(w, d.Digest)
	w.Header().Set("Content-Type", blobType)
	w.Header().Set("Content-Length", strconv.FormatInt(d.Size, 10))
	w.WriteHeader(http.StatusOK)
	held := &heldWriter{w: w}
	// One connection: chunks that wait for their turn are in memory.
	if err := transfer.StreamBlob(r.Context(), src, d, held, transfer.Options{Connections: 1}); err != nil {
		h.options.Logger.Warn("blob", "digest", d.Digest, "error", failureOf(kindBlobs, err).message)
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(held.last) // a client that has gone needs no answer
	return nil
}

// heldWriter holds the last bytes back.
type heldWriter struct {
	w    io.Writer
	last []byte
}

func (h *heldWriter) Write(p []byte) (int, error) {
	all := append(h.last, p...)
	now := max(0, len(all)-heldBack)
	if _, err := h.w.Write(all[:now]); err != nil {
		return 0, err
	}
	h.last = slices.Clone(all[now:])
	return len(p), nil
}

// tags answers with the tags: those behind the parameter last, n at most.
func (h *Handler) tags(w http.ResponseWriter, r *http.Request, t target) error {
	src, err := h.source(r.Context(), t)
	if err != nil {
		return err
	}
	lister, ok := src.(content.TagLister)
	if !ok {
		return fmt.Errorf("%s: %w: it lists no tags", src, content.ErrUnsupported)
	}
	tags, err := lister.Tags(r.Context())
	if err != nil {
		return err
	}
	query := r.URL.Query()
	if last := query.Get("last"); last != "" {
		i, found := slices.BinarySearch(tags, last)
		if found {
			i++
		}
		tags = tags[i:]
	}
	if n, err := strconv.Atoi(query.Get("n")); err == nil && n >= 0 && n < len(tags) {
		tags = tags[:n]
		if n > 0 {
			query.Set("last", tags[n-1])
			w.Header().Set("Link", fmt.Sprintf(`</v2/%s/tags/list?%s>; rel="next"`, t.name, query.Encode()))
		}
	}
	data, err := json.Marshal(struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{t.name, append([]string{}, tags...)})
	if err != nil {
		return err
	}
	writeJSON(w, r, "application/json", data)
	return nil
}

// referrers answers with what refers to a manifest, of one artifact type if that is asked for.
func (h *Handler) referrers(w http.ResponseWriter, r *http.Request, t target) error {
	src, err := h.source(r.Context(), t)
	if err != nil {
		return err
	}
	lister, ok := src.(content.ReferrerLister)
	if !ok {
		return fmt.Errorf("%s: %w: it lists no referrers", src, content.ErrUnsupported)
	}
	found, err := lister.Referrers(r.Context(), digest.Digest(t.reference))
	if err != nil {
		return err
	}
	if artifactType := r.URL.Query().Get("artifactType"); artifactType != "" {
		found = slices.DeleteFunc(found, func(d content.Descriptor) bool { return d.ArtifactType != artifactType })
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	data, err := json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: append([]content.Descriptor{}, found...),
	})
	if err != nil {
		return err
	}
	writeJSON(w, r, ocispec.MediaTypeImageIndex, data)
	return nil
}
