package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/registryname"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// push answers a request that writes, or that is about an upload.
func (h *Handler) push(w http.ResponseWriter, r *http.Request, t target) error {
	if !h.options.Push {
		return notAllowed(w)
	}
	if r.Header.Get("Origin") != "" {
		// A browser sends it: a page may not push with the credentials of this machine.
		return &failure{status: http.StatusForbidden, code: "DENIED", message: "pages in a browser cannot push"}
	}
	switch {
	case t.kind == kindUploads && t.reference == "":
		return h.postUpload(w, r, t)
	case t.kind == kindUploads:
		return h.continueUpload(w, r, t)
	case t.kind == kindManifests && r.Method == http.MethodPut:
		return h.putManifest(w, r, t)
	}
	w.Header().Set("Allow", "GET, HEAD")
	return &failure{status: http.StatusMethodNotAllowed, code: "UNSUPPORTED", message: "the proxy does not do that; ask the registry itself"}
}

// target returns the repository of a request as one that can be written to.
func (h *Handler) target(ctx context.Context, t target) (content.Target, error) {
	src, err := h.source(ctx, h.repository(t))
	if err != nil {
		return nil, err
	}
	dst, ok := src.(content.Target)
	if !ok {
		return nil, &failure{status: http.StatusMethodNotAllowed, code: "UNSUPPORTED", message: "nothing can be pushed to " + t.host}
	}
	return dst, nil
}

// postUpload begins an upload, or makes one of it: by a mount, or with all bytes at once.
func (h *Handler) postUpload(w http.ResponseWriter, r *http.Request, t target) error {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		return &failure{status: http.StatusMethodNotAllowed, code: "UNSUPPORTED", message: "an upload begins with POST"}
	}
	dst, err := h.target(r.Context(), t)
	if err != nil {
		return pushFailure(t, err)
	}
	query := r.URL.Query()
	if mount := query.Get("mount"); mount != "" {
		d, err := sha256Of(mount)
		if err != nil {
			return err
		}
		if mounted, err := h.mount(r.Context(), dst, t, d, query.Get("from")); err != nil {
			return pushFailure(t, err)
		} else if mounted {
			h.uploads.remember(t, d, sizeUnknown)
			created(w, t, kindBlobs, d)
			return nil
		}
	}
	// A repository that does not exist shows now, and not after a part was sent.
	if err := exists(r.Context(), dst); err != nil {
		return pushFailure(t, err)
	}
	life, wait, done := h.watched(h.life, t.host, kindUploads, false)
	u, err := h.uploads.begin(life, dst, t)
	if err != nil {
		done()
		return err
	}
	u.wait, u.done = wait, done
	if !query.Has("digest") {
		defer u.leave()
		u.accepted(w, r)
		return nil
	}
	d, err := sha256Of(query.Get("digest"))
	if err != nil {
		u.end()
		return err
	}
	return h.commit(w, r, u, d)
}

// exists returns why nothing can be written to a repository.
func exists(ctx context.Context, dst content.Target) error {
	checker, ok := dst.(content.RepositoryChecker)
	if !ok {
		return nil
	}
	nothing := content.Descriptor{Digest: digest.FromBytes(nil)}
	if _, err := dst.MissingBlobs(ctx, []content.Descriptor{nothing}); err != nil {
		return err
	}
	return checker.CheckRepository()
}

// mount reports whether the registry has taken a blob from another of its repositories,
// which the client names as it names this one.
func (h *Handler) mount(ctx context.Context, dst content.Target, t target, d digest.Digest, from string) (bool, error) {
	mounter, ok := dst.(content.BlobMounter)
	if !ok {
		return false, nil
	}
	source, ok := t.sibling(from)
	if !ok {
		return false, nil
	}
	src, err := h.listed(ctx, source)
	if err != nil {
		return false, nil // its bytes can be sent
	}
	mounted, err := mounter.MountBlob(ctx, d, src)
	if err != nil && !errors.Is(err, content.ErrNotFound) && ctx.Err() == nil {
		return false, nil
	}
	return mounted, err
}

// sibling returns another repository of the same registry by the name that the client has
// for it.
func (t target) sibling(name string) (target, bool) {
	repository := name
	if !t.mirrored {
		host, rest, _ := strings.Cut(name, "/")
		if canonical, err := registryname.Host(withPort(host)); err != nil || canonical != t.host {
			return target{}, false
		}
		repository = rest
	}
	t.repository = registryname.Repository(t.host, repository)
	return t, content.IsRepositoryName(t.repository)
}

// query is what a client of a mirror adds to a path.
func (t target) query() string {
	if !t.mirrored {
		return ""
	}
	return "?" + url.Values{namespace: {t.host}}.Encode()
}

// sha256Of parses a digest.
func sha256Of(s string) (digest.Digest, error) {
	d, err := digest.Parse(s)
	if err != nil || d.Algorithm() != digest.SHA256 {
		return "", &failure{status: http.StatusBadRequest, code: "DIGEST_INVALID", message: "the digest is not a sha256 digest"}
	}
	return d, nil
}

// created answers that a blob or manifest is stored.
func created(w http.ResponseWriter, t target, kind string, d digest.Digest) {
	w.Header().Set("Docker-Content-Digest", string(d))
	w.Header().Set("Location", "/v2/"+t.name+"/"+kind+"/"+string(d)+t.query())
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusCreated)
}

// pushFailure makes the error of a push a refusal.
func pushFailure(t target, err error) error {
	var refused *failure
	if errors.As(err, &refused) || err == nil {
		return err
	}
	f := failureOf(t.kind, err)
	switch {
	case errors.Is(err, ErrRefused):
		f.status, f.code = http.StatusForbidden, "DENIED"
	case errors.Is(err, content.ErrIntegrity):
		f.status, f.code = http.StatusBadRequest, "DIGEST_INVALID"
	case errors.Is(err, content.ErrConflict):
		f.status, f.code = http.StatusBadRequest, "TAG_INVALID"
	case errors.Is(err, content.ErrNotFound):
		f.status, f.code = http.StatusNotFound, "NAME_UNKNOWN"
	}
	return f
}
