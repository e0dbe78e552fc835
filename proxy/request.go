package proxy

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/internal/registryname"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// namespace is the parameter of the query by which clients of a mirror name the registry.
const namespace = "ns"

// The kinds of paths.
const (
	kindManifests = "manifests"
	kindBlobs     = "blobs"
	kindUploads   = "uploads"
	kindReferrers = "referrers"
	kindTags      = "tags"
)

// isKind reports whether s is a kind of paths.
func isKind(s string) bool {
	switch s {
	case kindManifests, kindBlobs, kindUploads, kindReferrers, kindTags:
		return true
	}
	return false
}

// target is what a request is about.
type target struct {
	host       string // in its canonical spelling
	repository string // at the host
	name       string // as the client calls the repository
	mirrored   bool   // the query names the host
	kind       string // manifests, blobs, uploads, referrers or tags
	reference  string // tag or digest; "list" of tags; ID of an upload, "" of a new one
}

// parseTarget reads the path and the query of a request. The spec has no name that needs
// an escape, and what is not in its plain form may mean something else upstream.
func parseTarget(r *http.Request) (target, *failure) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v2/")
	if !ok || strings.Contains(path, "%") {
		return target{}, &failure{status: http.StatusNotFound, code: "NAME_INVALID", message: "the path has no plain name of a repository"}
	}
	parts := strings.Split(path, "/")
	if n := len(parts); n > 1 && !isKind(parts[n-2]) { // what strangers write is no label of a metric
		return target{}, &failure{status: http.StatusNotFound, code: "UNSUPPORTED", message: "not a path of the distribution API"}
	}
	if len(parts) < 3 {
		return target{}, &failure{status: http.StatusNotFound, code: "NAME_INVALID", message: "the path names no repository"}
	}
	names, t := parts[:len(parts)-2], target{kind: parts[len(parts)-2], reference: parts[len(parts)-1]}
	if n := len(names); t.kind == kindUploads && n > 1 && names[n-1] == kindBlobs {
		names = names[:n-1]
	}
	t.name = strings.Join(names, "/")
	host := ""
	switch ns, given := r.URL.Query()[namespace]; {
	case len(ns) > 1:
		return t, &failure{status: http.StatusBadRequest, code: "NAME_INVALID", message: "the query names more than one registry"}
	case given:
		host, t.mirrored = ns[0], true
	default:
		host, names = withPort(names[0]), names[1:]
	}
	canonical, err := registryname.Host(host)
	if err != nil {
		return t, &failure{status: http.StatusBadRequest, code: "NAME_INVALID", message: fmt.Sprintf("registry %.100q: %v", host, err)}
	}
	t.host, t.repository = canonical, registryname.Repository(canonical, strings.Join(names, "/"))
	if !content.IsRepositoryName(t.repository) {
		return t, &failure{status: http.StatusBadRequest, code: "NAME_INVALID", message: fmt.Sprintf("%.100q is not the name of a repository; write HOST/REPOSITORY", t.name)}
	}
	return t, t.checkReference()
}

// withPort returns the host that HOST_PORT stands for: a name with a colon is none to clients.
func withPort(s string) string {
	i := strings.LastIndexByte(s, '_')
	if i < 0 {
		return s
	}
	return s[:i] + ":" + s[i+1:]
}

func (t target) checkReference() *failure {
	switch t.kind {
	case kindManifests:
		if !t.isDigest() && !content.IsTag(t.reference) {
			return &failure{status: http.StatusBadRequest, code: "MANIFEST_INVALID", message: fmt.Sprintf("%.100q is neither a tag nor a sha256 digest", t.reference)}
		}
	case kindBlobs, kindReferrers:
		if !t.isDigest() {
			return &failure{status: http.StatusBadRequest, code: "DIGEST_INVALID", message: fmt.Sprintf("%.100q is not a sha256 digest", t.reference)}
		}
	case kindUploads: // an ID is checked where it is known
	case kindTags:
		if t.reference != "list" {
			return &failure{status: http.StatusNotFound, code: "UNSUPPORTED", message: "there is only tags/list"}
		}
	}
	return nil
}

// logged returns the reference as the log has it. Who knows the ID of an upload can continue it.
func (t target) logged() string {
	if t.kind == kindUploads {
		return ""
	}
	return t.reference
}

func (t target) isDigest() bool {
	d, err := digest.Parse(t.reference)
	return err == nil && d.Algorithm() == digest.SHA256
}
