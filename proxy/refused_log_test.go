package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// TestRefusedBlobIsLogged asks for blobs that are refused or missing: podman prints only the status, so the log has the reason.
func TestRefusedBlobIsLogged(t *testing.T) {
	t.Parallel()
	u, log := newUpstream(100), &warnings{}
	s := start(t, u, t.TempDir(), 1<<20, log.collect, func(o *Options) {
		o.Demand = (&guard{id: "1", good: map[digest.Digest]bool{u.manifest.Descriptor.Digest: true}}).demand
	})
	s.want(u.path(), http.StatusForbidden, "no verified image")
	s.want(app+"/manifests/1.0", http.StatusOK, "")
	s.want(u.path(), http.StatusOK, "")
	s.stop()
	text := log.String()
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, `"status":403`) || !strings.Contains(text, "no verified image of "+registryHost+"/team/app names it") {
		t.Errorf("the log is\n%s", text)
	}
}
