//go:build interop

package interop

import (
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// testRegistry copies between the local ECR and go-containerregistry's registry, and lets the peers look at
// both.
func (s *suite) testRegistry(t *testing.T) {
	w := s.start(t, "--ephemeral")
	w.setupClients(t, w.Addr)
	plain := w.startRegistry(t, true)

	for _, k := range s.kinds {
		t.Run(k.name, func(t *testing.T) {
			for _, way := range []struct{ from, to string }{
				{plain + "/theirs:" + k.name, w.Addr + "/mirror/theirs:" + k.name},
				{w.Addr + "/team/app:" + k.name, plain + "/backup/app:" + k.name},
			} {
				w.createRepositoryOf(t, way.from)
				w.run(t, "crane", "push", k.layout, way.from)
				wantDigest(t, "ecrkit says", w.result(t, "copy", "--create-repository", way.from, way.to), k.digest)
				w.wantPulled(t, way.to, k.digest)
				w.run(t, "crane", "validate", "--remote", way.to)
			}
		})
	}
	w.wantImages(t, "mirror/theirs", s.kinds)

	older := w.startRegistry(t, false)
	for name, way := range map[string]struct{ from, to string }{
		"to ECR":           {plain + "/signed", w.Addr + "/mirror/signed"},
		"from ECR":         {w.Addr + "/team/signed", plain + "/backup/signed"},
		"to ECR by tags":   {older + "/signed", w.Addr + "/mirror/tagged"},
		"from ECR by tags": {w.Addr + "/team/tagged", older + "/backup/signed"},
	} {
		t.Run("referrers "+name, func(t *testing.T) { s.copyReferrers(t, w, way.from, way.to) })
	}
}

// startRegistry starts a registry until the test ends. One without the referrers API has a tag with the
// referrers of an image: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
func (w *site) startRegistry(t *testing.T, referrers bool) (addr string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(referrers), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	addr = strings.TrimPrefix(server.URL, "http://")
	w.setupClients(t, addr)
	return addr
}

// copyReferrers attaches artifacts to an OCI image and to an OCI index with regctl, and one to an artifact,
// copies both with ecrkit and lists them with regctl.
func (s *suite) copyReferrers(t *testing.T, w *site, from, to string) {
	w.createRepositoryOf(t, from)
	sbom := filepath.Join(t.TempDir(), "sbom.json")
	if err := os.WriteFile(sbom, []byte(`{"packages": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	attach := func(subject, artifactType string) string {
		return w.run(t, "regctl", "artifact", "put", "--artifact-type", artifactType, "--file", sbom, "--file-media-type", "application/json",
			"--subject", subject, "--format", "{{.Manifest.GetDescriptor.Digest}}")
	}
	for _, k := range s.kinds {
		if k.name != "oci" && k.name != "index" {
			continue
		}
		w.run(t, "crane", "push", k.layout, from+":"+k.name)
		image := from + "@" + k.digest
		want := []string{attach(image, "application/spdx+json"), attach(image, "application/vnd.dev.cosign.artifact.sig.v1+json")}
		signed := attach(from+"@"+want[0], "application/vnd.dev.cosign.artifact.sig.v1+json")

		wantDigest(t, "ecrkit says", w.result(t, "copy", "--create-repository", "--referrers", from+":"+k.name, to+":"+k.name), k.digest)
		w.wantReferrers(t, to+"@"+k.digest, want)
		w.wantReferrers(t, to+"@"+want[0], []string{signed})
		for _, artifact := range append(want, signed) {
			file := filepath.Join(t.TempDir(), "sbom.json")
			w.run(t, "sh", "-c", "regctl artifact get "+to+"@"+artifact+" >"+file)
			wantDigest(t, "the artifact holds", fileDigest(t, file), fileDigest(t, sbom))
		}
	}
}

// wantReferrers checks which referrers regctl lists.
func (w *site) wantReferrers(t *testing.T, subject string, want []string) {
	t.Helper()
	var list manifest
	answer := w.run(t, "regctl", "artifact", "list", "--format", "body", subject)
	if err := json.Unmarshal([]byte(answer), &list); err != nil {
		t.Fatalf("regctl artifact list %s: %v\n%s", subject, err, answer)
	}
	var got []string
	for _, d := range list.Manifests {
		got = append(got, d.Digest)
	}
	slices.Sort(got)
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		t.Errorf("regctl lists of %s the referrers %q, want %q", subject, got, want)
	}
}

// createRepositoryOf makes the repository of ref if that is in the local ECR and has none.
func (w *site) createRepositoryOf(t *testing.T, ref string) {
	t.Helper()
	if strings.HasPrefix(ref, w.Addr+"/") {
		name, _, _ := strings.Cut(path.Base(ref), ":")
		w.run(t, "ecrkit", "repo", "create", "--if-missing", path.Dir(ref)+"/"+name)
	}
}
