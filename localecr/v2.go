package localecr

import (
	"errors"
	"net/http"
	"strings"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

// A route is a request to /v2/, taken apart. Source: OCI distribution specification v1.1, endpoints.
type route struct {
	template  string // such as /v2/{name}/manifests/{reference}
	name      string // of the repository
	reference string // tag, digest or upload ID
}

// The templates of the routes.
const (
	routePing      = "/v2/"
	routeCatalog   = "/v2/_catalog"
	routeTags      = "/v2/{name}/tags/list"
	routeManifest  = "/v2/{name}/manifests/{reference}"
	routeReferrers = "/v2/{name}/referrers/{digest}"
	routeBlob      = "/v2/{name}/blobs/{digest}"
	routeUploads   = "/v2/{name}/blobs/uploads/"
	routeUpload    = "/v2/{name}/blobs/uploads/{uuid}"
	routeUnknown   = "/v2/{unknown}"
)

// parseRoute takes a path apart from its end: the name of a repository may have any parts.
func parseRoute(path string) route {
	rest := strings.TrimPrefix(path, "/v2/")
	switch rest {
	case "", "/v2":
		return route{template: routePing}
	case "_catalog":
		return route{template: routeCatalog}
	}
	parts := strings.Split(rest, "/")
	n := len(parts)
	tail := func(i int) string { // the i-th part from the end, of those behind the name
		if i >= n {
			return ""
		}
		return parts[n-i]
	}
	at := func(template string, count int, reference string) route {
		return route{template: template, name: strings.Join(parts[:n-count], "/"), reference: reference}
	}
	switch {
	case tail(2) == "tags" && tail(1) == "list":
		return at(routeTags, 2, "")
	case tail(2) == "manifests":
		return at(routeManifest, 2, tail(1))
	case tail(2) == "referrers":
		return at(routeReferrers, 2, tail(1))
	case tail(3) == "blobs" && tail(2) == "uploads" && tail(1) == "":
		return at(routeUploads, 3, "")
	case tail(3) == "blobs" && tail(2) == "uploads":
		return at(routeUpload, 3, tail(1))
	case tail(2) == "blobs" && tail(1) == "uploads":
		return at(routeUploads, 2, "")
	case tail(2) == "blobs":
		return at(routeBlob, 2, tail(1))
	default:
		return route{template: routeUnknown}
	}
}

// A v2Handler answers one method of one route.
type v2Handler struct {
	action  string // the operation that a policy must allow; "" for none
	charged string // the operation that the call is charged to; "" for none
	answer  func(*exchange, route)
}

// v2Handlers are what /v2/ has, by method and template. ECR has no DELETE of layers.
var v2Handlers = map[string]v2Handler{
	"GET " + routePing:        {"", "", (*exchange).ping},
	"HEAD " + routePing:       {"", "", (*exchange).ping},
	"GET " + routeCatalog:     {"DescribeRepositories", "DescribeRepositories", (*exchange).catalog},
	"GET " + routeTags:        {"ListImages", "ListImages", (*exchange).tags},
	"GET " + routeReferrers:   {"ListImageReferrers", "ListImageReferrers", (*exchange).referrers},
	"GET " + routeManifest:    {"BatchGetImage", "BatchGetImage", (*exchange).getManifest},
	"HEAD " + routeManifest:   {"BatchGetImage", "BatchGetImage", (*exchange).getManifest},
	"PUT " + routeManifest:    {"PutImage", "PutImage", (*exchange).putManifest},
	"DELETE " + routeManifest: {"BatchDeleteImage", "BatchDeleteImage", (*exchange).deleteManifest},
	"HEAD " + routeBlob:       {"BatchCheckLayerAvailability", "BatchCheckLayerAvailability", (*exchange).headBlob},
	"GET " + routeBlob:        {"GetDownloadUrlForLayer", "GetDownloadUrlForLayer", (*exchange).getBlob},
	"POST " + routeUploads:    {"InitiateLayerUpload", "InitiateLayerUpload", (*exchange).startUpload},
	"GET " + routeUpload:      {"UploadLayerPart", "", (*exchange).uploadStatus},
	"PATCH " + routeUpload:    {"UploadLayerPart", "UploadLayerPart", (*exchange).patchUpload},
	"PUT " + routeUpload:      {"CompleteLayerUpload", "CompleteLayerUpload", (*exchange).finishUpload},
	"DELETE " + routeUpload:   {"UploadLayerPart", "", (*exchange).cancelUpload},
}

// serveV2 serves the registry: the OCI distribution API as ECR speaks it.
func (s *Server) serveV2(w http.ResponseWriter, r *http.Request) {
	rt := parseRoute(r.URL.Path)
	s.serve(w, r, EndpointV2, r.Method+" "+rt.template, rt.name, func(x *exchange) {
		x.w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
		host, err := s.parseRegistryHost(r.Host)
		if err == nil {
			err = x.authenticateV2(host)
		}
		if err != nil {
			x.fail(err)
			return
		}
		h, ok := v2Handlers[r.Method+" "+rt.template]
		if ok {
			err = x.authorizeV2(host.account, h.action, rt)
		}
		switch {
		case !ok:
			x.fail(errUnsupported)
		case err != nil:
			x.fail(err)
		case rt.template != routePing && rt.template != routeCatalog && !registry.ValidRepositoryName(rt.name):
			x.fail(errNameInvalid)
		case h.charged != "" && !s.buckets.take(x.principal.Account, x.region, h.charged):
			x.fail(throttled())
		default:
			h.answer(x, rt)
		}
	})
}

// A registryName is the account and region that a host name stands for.
type registryName struct{ account, region string }

// hostPattern is the form of the host names of registries that are not the default one:
// ACCOUNT.dkr.ecr.REGION.localhost:PORT, or ECR's own through a proxy.
var hostPattern = lazyregexp.New(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.`)

func (s *Server) parseRegistryHost(host string) (registryName, error) {
	m := hostPattern.FindStringSubmatch(strings.ToLower(host))
	if m == nil {
		return registryName{s.account, DefaultRegion}, nil
	}
	if !regionPattern.MatchString(m[2]) {
		return registryName{}, errNameInvalid
	}
	return registryName{account: m[1], region: m[2]}, nil
}

// authenticateV2 takes Basic authentication with an authorization token of the host's region.
func (x *exchange) authenticateV2(host registryName) error {
	user, password, ok := x.r.BasicAuth()
	if !ok || user != "AWS" {
		return errUnauthorized
	}
	p, err := x.server.identities().CheckToken(password, host.region, x.server.clock.Now())
	if err != nil {
		return err
	}
	x.authenticated(p, host.region)
	return nil
}

func (x *exchange) ping(route) { x.w.WriteHeader(http.StatusOK) }

// Refusals that have no exception in the AWS API.
var (
	errUnauthorized = errors.New("no basic auth credentials")
	errUnsupported  = &v2Error{http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported."}
	errNameInvalid  = &v2Error{http.StatusBadRequest, "NAME_INVALID", "Invalid repository name: it must be 2 to 256 characters of lower-case letters, digits, and . _ - / between them"}
)
