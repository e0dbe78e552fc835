//go:build interop

package interop

import (
	"path/filepath"
	"strings"
	"testing"
)

// testProxyRefused has each engine pull what the policy of the proxy does not allow. It gets
// nothing, and its output has the reason.
func (s *suite) testProxyRefused(t *testing.T) {
	w := s.start(t, "--ephemeral").with(map[string]string{
		"DOCKER_HOST": startDocker(t), "AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:9", // nothing listens there
	})
	k := s.kind("oci")
	for _, repository := range []string{"signed", "down"} {
		w.createRepository(t, repository)
	}
	for _, name := range []string{"release", "other"} {
		w.writeKeyPair(t, filepath.Join(w.home, name))
	}
	push := func(image string, args ...string) {
		wantDigest(t, "ecrkit says", w.result(t, append([]string{"push", "oci:" + k.layout, w.Addr + "/" + image}, args...)...), k.digest)
	}
	policy := filepath.Join(w.home, "policy.yaml")
	writeFile(t, policy, []byte("version: 1\ndefault: accept\nkeys:\n  release: {path: "+w.home+"/release.pub}\n  kms: {kms: alias/ecrkit-p256}\nrules:\n  - scope: "+
		w.Addr+"/signed\n    keys: [release]\n  - scope: "+w.Addr+"/down\n    keys: [kms]\n"))
	push("signed:unsigned")
	push("down:1")
	p := w.startProxy(t, "--policy", policy)
	w.calls(t)
	c := p.startClients(t)
	for _, refused := range []struct{ name, image, reason string }{
		{"unsigned", "signed:unsigned", "refused by the policy " + policy + ": "},
		{"wrongly signed", "signed:wrong", "refused by the policy " + policy + ": "},
		{"signature service down", "down:1", "could not be verified"},
	} {
		if refused.name == "wrongly signed" {
			push(refused.image, "--sign", w.home+"/other.key")
		}
		t.Run(refused.name, func(t *testing.T) {
			for _, client := range c.pullers {
				t.Run(client.name, func(t *testing.T) {
					t.Parallel()
					line := client.pull(refused.image)
					w.refused(t, refused.reason, line[0], line[1:]...)
				})
			}
		})
		for _, call := range w.calls(t) {
			// Signatures are layers too, of images of their own.
			if refused.name == "unsigned" && call.Op == "GetDownloadUrlForLayer" {
				t.Error("a layer of an unsigned image was asked for")
			}
		}
	}
	for _, line := range []string{"docker images --quiet", c.podman + "images --quiet", c.ctr + "ls --quiet"} {
		if out := w.runLine(t, strings.Fields(line)); out != "" {
			t.Errorf("%s has the image %s", line, out)
		}
	}
	// The same image, signed as required, is pulled.
	push("signed:right", "--sign", w.home+"/release.key")
	for _, client := range c.pullers {
		w.runLine(t, client.pull("signed:right"))
	}
}
