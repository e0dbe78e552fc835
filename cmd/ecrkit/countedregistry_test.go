package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
)

// startCountedRegistry is "countedregistry NAME [referrers|lossy]": one that is not Amazon ECR, at $NAME, and counts its
// requests. With "referrers" it has the referrers API, with "lossy" too, but lists none.
func startCountedRegistry(ts *testscript.TestScript, _ bool, args []string) {
	variable, referrers := args[0], len(args) > 1
	counter := &requestCounter{next: registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(referrers)), counts: map[string]int{}, lossy: slices.Contains(args, "lossy")}
	server := httptest.NewUnstartedServer(counter)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // https is tried too
	server.Start()
	ts.Defer(server.Close)
	ts.Setenv(variable, strings.TrimPrefix(server.URL, "http://"))
	ts.Value(countedKey{}).(map[string]*requestCounter)[variable] = counter
}

// countedKey is for the counted registries, by their variables.
type countedKey struct{}

// requestCounter counts requests by method and kind.
type requestCounter struct {
	next  http.Handler
	lossy bool // it lists no referrers

	mu     sync.Mutex
	counts map[string]int
}

var requestKind = regexp.MustCompile(`/(manifests/sha256-|manifests/|referrers/|blobs/uploads/|blobs/|tags/)`)

func (c *requestCounter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m := requestKind.FindStringSubmatch(r.URL.Path); m != nil {
		kind := strings.TrimSuffix(m[1], "/")
		if kind == "manifests/sha256-" {
			kind = "attached"
		}
		if r.URL.Query().Has("mount") {
			kind = "mounts"
		}
		c.mu.Lock()
		c.counts[r.Method+"_"+kind]++
		c.mu.Unlock()
	}
	if c.lossy {
		w.Header().Set("OCI-Subject", "kept by the registry")
		if strings.Contains(r.URL.Path, "/referrers/") {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			_, _ = io.WriteString(w, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
			return
		}
	}
	c.next.ServeHTTP(w, r)
}

// compareRequests is "requests NAME [METHOD_KIND=N ...]": the registry at $NAME had these requests, and only these,
// since it was last asked. KIND is manifests, attached (by a tag made of a digest), referrers, blobs, blobs/uploads,
// mounts or tags.
func compareRequests(ts *testscript.TestScript, _ bool, args []string) {
	c := ts.Value(countedKey{}).(map[string]*requestCounter)[args[0]]
	c.mu.Lock()
	defer c.mu.Unlock()
	var got []string
	for kind, n := range c.counts {
		got = append(got, fmt.Sprintf("%s=%d", kind, n))
	}
	clear(c.counts)
	want := slices.Sorted(slices.Values(args[1:]))
	if slices.Sort(got); len(want) > 0 && !slices.Equal(got, want) {
		ts.Fatalf("requests %v, want %v", got, want)
	}
}
