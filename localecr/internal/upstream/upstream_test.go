package upstream

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestChallenges has a registry ask for a token behind another challenge in the same header field.
func TestChallenges(t *testing.T) {
	t.Parallel()
	const index = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case r.URL.Path == "/token" && user == "alice" && password == "secret":
			fmt.Fprint(w, `{"token":"T"}`)
		case r.Header.Get("Authorization") != "Bearer T":
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Negotiate, Bearer realm="http://%s/token"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
		case strings.Contains(r.URL.Path, "/manifests/"):
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			fmt.Fprint(w, index)
		}
	}))
	t.Cleanup(hub.Close)
	r := Registry{Host: strings.TrimPrefix(hub.URL, "http://"), Username: "alice", Password: "secret", Transport: http.DefaultTransport}
	if err := r.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if d, err := r.Get(t.Context(), "app", "1"); err != nil || string(d.Manifest) != index {
		t.Errorf("%v %v", d, err)
	}
}
