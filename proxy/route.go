package proxy

import (
	"encoding/json"
	"errors"
	"net/http"
)

// fixed answers requests of paths that name no repository, and reports whether it did.
func (h *Handler) fixed(w http.ResponseWriter, r *http.Request) bool {
	var answer any
	switch r.URL.Path {
	case "/healthz":
		answer = h.Status()
	case "/v2/", "/v2":
		answer = struct{}{}
	case "/metrics":
		if reads(r) {
			h.metrics.handler.ServeHTTP(w, r)
			return true
		}
	default:
		return false
	}
	if !reads(r) {
		notAllowed(w).write(w)
		return true
	}
	data, err := json.Marshal(answer)
	if err != nil {
		failureOf("", err).write(w)
		return true
	}
	writeJSON(w, r, "application/json", data)
	return true
}

// route answers a request about a repository of an allowed host. An error is one that can
// still be answered.
func (h *Handler) route(w http.ResponseWriter, r *http.Request, t target) error {
	if !reads(r) || t.kind == kindUploads {
		if h.options.Push {
			h.repository(t).pushing()
		}
		return h.push(w, r, t)
	}
	if h.options.Push && r.Method == http.MethodHead && t.isDigest() && (t.kind == kindBlobs || t.kind == kindManifests) {
		if done, err := h.head(w, r, t); done {
			return err
		}
	}
	switch t.kind {
	case kindManifests:
		err := h.manifest(w, r, t)
		if h.options.Push && r.Method == http.MethodHead && h.repository(t).isPushed() {
			err = unknownToPush(err)
		}
		return err
	case kindBlobs:
		return h.blob(w, r, t)
	case kindTags:
		return h.tags(w, r, t)
	}
	return h.referrers(w, r, t)
}

// unknownToPush makes an image that the policy refuses one that does not exist. containerd and BuildKit ask what a tag
// names before they push it, and give up at another refusal: a tag that names a refused image could not be pushed again.
func unknownToPush(err error) error {
	if f := (*failure)(nil); errors.As(err, &f) && f.status == http.StatusForbidden {
		return &failure{status: http.StatusNotFound, code: "MANIFEST_UNKNOWN", message: f.message}
	}
	return err
}

// reads reports whether the method of a request only reads.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// notAllowed refuses the method of a request.
func notAllowed(w http.ResponseWriter) *failure {
	w.Header().Set("Allow", "GET, HEAD")
	return &failure{status: http.StatusMethodNotAllowed, code: "UNSUPPORTED", message: "the proxy only reads; push to the registry itself"}
}
