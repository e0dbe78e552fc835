//go:build interop

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/stage"
)

// A suite is what all tests share and none changes.
type suite struct {
	bin    string // directory of our commands, cosign, crane and regctl
	kinds  []kind
	cosign func() error // waits until cosign is built
	tlsDir string       // of the certificate authority of servers with HTTPS; "": without

	addresses addressPair // of servers with HTTPS
}

func TestInterop(t *testing.T) {
	ctx := t.Context()
	if os.Getuid() != 0 {
		t.Fatal("the Docker engine of this test needs root")
	}
	s := &suite{bin: filepath.Join(t.TempDir(), "bin")}
	if *withTLS {
		s.tlsDir = t.TempDir()
		s.addresses = addAddresses(t)
	}
	if err := stage.Commands(ctx, s.bin); err != nil {
		t.Fatal(err)
	}
	s.kinds = makeKinds(t)
	s.cosign = buildPeers(t, s.bin)

	// Debian's programs come before others of the same name, docker finds our credential helper.
	t.Setenv("PATH", s.bin+":/usr/bin:/usr/sbin:/bin:/sbin:"+os.Getenv("PATH"))
	for _, peer := range []string{"aws", "containerd", "crane", "docker", "dockerd", "minisign", "podman", "regctl", "skopeo"} {
		if _, err := exec.LookPath(peer); err != nil {
			t.Fatalf("%v: `make interop` installs what is missing", err)
		}
	}

	// The two halves run at the same time, and take about as long as each other.
	t.Run("Engine", func(t *testing.T) {
		t.Parallel()
		t.Run("Docker", s.testDocker)
		t.Run("Archives", s.testArchives)
		t.Run("Daemon", s.testDaemon)
		t.Run("TagsAndIndexes", s.testTagsAndIndexes)
		t.Run("AccountNames", s.testAccountNames)
		t.Run("Pipeline", s.testPipeline)
		t.Run("Helper", s.testHelper)
		t.Run("Guide", s.testGuide)
		t.Run("Proxy", s.testProxy)
		t.Run("ProxyRefused", s.testProxyRefused)
	})
	t.Run("NoEngine", func(t *testing.T) {
		t.Parallel()
		if *withTLS {
			t.Run("Distrust", s.testDistrust)
		}
		t.Run("Clients", s.testClients)
		t.Run("Registry", s.testRegistry)
		t.Run("CredsStore", s.testCredsStore)
		t.Run("STS", s.testSTS)
		t.Run("EndpointURL", s.testEndpointURL)
		t.Run("KMS", s.testKMS)
		t.Run("Governing", s.testGoverning)
		t.Run("FarSide", s.testFarSide)
		t.Run("Policies", s.testPolicies)
		t.Run("Refused", s.testRefused)
		t.Run("LargeLayer", s.testLargeLayer)
		t.Run("Cosign", s.testCosign)
	})
}

// kind is the kind of this name.
func (s *suite) kind(name string) kind {
	return s.kinds[slices.IndexFunc(s.kinds, func(k kind) bool { return k.name == name })]
}

// buildPeers builds the clients that are Go programs, at the versions that bench/go.mod, bench/engines/go.mod and
// bench/cosign/go.mod pin. cosign, which takes minutes when its packages were never built here, is built at
// the lowest priority while the tests run that do not wait for it.
func buildPeers(t *testing.T, dir string) (cosign func() error) {
	t.Helper()
	if err := buildPeer(t, dir, "bench", "github.com/google/go-containerregistry/cmd/crane", "github.com/regclient/regclient/cmd/regctl"); err != nil {
		t.Fatal(err)
	}
	if err := buildPeer(t, dir, "bench/engines", "./cripull"); err != nil {
		t.Fatal(err)
	}
	cosign = sync.OnceValue(func() error { return buildPeer(t, dir, "bench/cosign", "github.com/sigstore/cosign/v3/cmd/cosign") })
	go cosign()
	t.Cleanup(func() { cosign() }) // which has ended, or ends with t.Context
	return cosign
}

// buildPeer builds packages of a module into dir.
func buildPeer(t *testing.T, dir, module string, packages ...string) error {
	cmd := exec.CommandContext(t.Context(), "nice", append([]string{"go", "build", "-C", "../../../" + module, "-trimpath", "-o", dir + "/"}, packages...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %v: %w\n%s", packages, err, out)
	}
	return nil
}
