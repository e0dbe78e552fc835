//go:build interop

package interop

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// withTLS makes every client of the local ECR use HTTPS.
var withTLS = flag.Bool("tls", false, "serve the clients of the local ECR by HTTPS, at addresses that none of them takes for its own machine")

// The addresses of the local ECR with HTTPS, which belong to the machine's loopback interface while the test runs. Clients
// use plain HTTP for 127.0.0.1 and localhost, but not for these: RFC 5737 has them for documentation.
const (
	registryAddress = "192.0.2.1"
	downloadAddress = "192.0.2.2"
)

// addAddresses adds addresses to the loopback interface until the test ends.
func addAddresses(t *testing.T) {
	t.Helper()
	for _, address := range []string{registryAddress, downloadAddress} {
		change := func(verb string) {
			if out, err := exec.Command("ip", "address", verb, address+"/32", "dev", "lo").CombinedOutput(); err != nil {
				t.Errorf("ip address %s %s: %v\n%s", verb, address, err, out)
			}
		}
		change("replace")
		t.Cleanup(func() { change("delete") })
	}
}

// host is the address of servers.
func (s *suite) host() string {
	if s.tlsDir == "" {
		return "127.0.0.1"
	}
	return registryAddress
}

// envFlags are the flags of `ecrkit local env` for servers, each after a space.
func (s *suite) envFlags() string {
	if s.tlsDir == "" {
		return ""
	}
	return " --tls --tls-dir " + s.tlsDir
}

// isPlain reports whether the registry of ref has no TLS: a registry or proxy of this test, which is at 127.0.0.1.
func isPlain(ref string) bool { return strings.HasPrefix(ref, "127.0.0.1:") }

// tlsVerify is the value of skopeo's flags of this name for ref.
func tlsVerify(ref string) string { return strconv.FormatBool(!isPlain(ref)) }

// trustInDocker puts the certificate of a server where docker engines look for it, until the test ends.
func (s *suite) trustInDocker(t *testing.T, addr string) {
	t.Helper()
	certificate, err := os.ReadFile(filepath.Join(s.tlsDir, localecr.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join("/etc/docker/certs.d", addr)
	writeFile(t, filepath.Join(dir, "ca.crt"), certificate)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
}

// testDistrust has clients without the certificate of the authority refuse the server: none falls back to plain HTTP,
// which the server answers too.
func (s *suite) testDistrust(t *testing.T) {
	w := s.start(t, "--ephemeral")
	w.createRepository(t, "app")
	k := s.kind("oci")
	image := w.Addr + "/app:1"
	w.run(t, "ecrkit", "push", "oci:"+k.layout, image)
	stranger := w.with(nil)
	// Beside docker, podman, skopeo and regctl read this directory.
	if err := os.RemoveAll(filepath.Join("/etc/docker/certs.d", w.Addr)); err != nil {
		t.Fatal(err)
	}
	for name, value := range w.Env {
		if strings.HasPrefix(value, s.tlsDir) {
			delete(stranger.environ, name)
		}
	}
	w.calls(t)
	for reason, lines := range map[string][][]string{
		"certificate signed by unknown authority": {
			{"ecrkit", "digest", image}, {"crane", "digest", image}, {"regctl", "image", "digest", image}, {"skopeo", "inspect", "docker://" + image},
			{"podman", "search", "--list-tags", w.Addr + "/app"},
		},
		"CERTIFICATE_VERIFY_FAILED": {append([]string{"aws"}, append(w.endpoint("ecr"), "describe-repositories")...)},
	} {
		for _, line := range lines {
			stranger.refused(t, reason, line[0], line[1:]...)
		}
	}
	if calls := w.calls(t); len(calls) > 0 {
		t.Errorf("clients without the certificate made calls: %v", calls)
	}
	wantDigest(t, "crane says", w.run(t, "crane", "digest", image), k.digest)
}
