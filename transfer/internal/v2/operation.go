package v2

import (
	"net/http"
	"strings"
)

// Operation names a request by its method and the route of the distribution API:
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints.
func Operation(r *http.Request) string {
	rest, ok := strings.CutPrefix(r.URL.Path, "/v2/")
	if !ok {
		return r.Method + " {elsewhere}" // such as where tokens are given
	}
	parts := strings.Split(rest, "/")
	last := func(i int) string { return parts[max(len(parts)-i, 0)] }
	switch n := len(parts); {
	case rest == "" || rest == "_catalog":
		return r.Method + " /v2/" + rest
	case n >= 4 && last(3) == "blobs" && last(2) == "uploads" && last(1) == "":
		return r.Method + " /v2/{name}/blobs/uploads/"
	case n >= 4 && last(3) == "blobs" && last(2) == "uploads":
		return r.Method + " /v2/{name}/blobs/uploads/{uuid}"
	case n >= 3 && last(2) == "blobs":
		return r.Method + " /v2/{name}/blobs/{digest}"
	case n >= 3 && last(2) == "manifests":
		return r.Method + " /v2/{name}/manifests/{reference}"
	case n >= 3 && last(2) == "referrers":
		return r.Method + " /v2/{name}/referrers/{digest}"
	case n >= 3 && last(2) == "tags" && last(1) == "list":
		return r.Method + " /v2/{name}/tags/list"
	}
	return r.Method + " /v2/{unknown}"
}
