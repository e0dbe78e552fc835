//go:build interop

package interop

import (
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// withTLS makes every client of the local ECR use HTTPS.
var withTLS = flag.Bool("tls", false, "serve the clients of the local ECR by HTTPS, at addresses that none of them takes for its own machine")

// documentation are the networks that RFC 5737 sets aside for documentation. Clients use plain HTTP for 127.0.0.1 and
// localhost, but not for addresses in these, and nobody has a server there.
var documentation = []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"}

// An addressPair are the addresses of the local ECR with HTTPS, which belong to the machine's loopback interface while the
// test runs.
type addressPair struct{ registry, downloads string }

// choose returns two addresses of the first network of documentation in which the machine, with the addresses own, is not: to
// take the address of its gateway would cut it off.
func choose(own []netip.Prefix) (addressPair, error) {
	for _, network := range documentation {
		network := netip.MustParsePrefix(network)
		if slices.ContainsFunc(own, network.Overlaps) {
			continue
		}
		registry := network.Addr().Next()
		return addressPair{registry.String(), registry.Next().String()}, nil
	}
	return addressPair{}, fmt.Errorf("the machine is in all of the networks for documentation (%s): run this without -tls", strings.Join(documentation, ", "))
}

// ownAddresses are those of the machine's interfaces, with their networks, without the loopback interface: what an earlier run
// has left there can be used again.
func ownAddresses(t *testing.T) (own []netip.Prefix) {
	t.Helper()
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range addresses {
			if prefix, err := netip.ParsePrefix(address.String()); err == nil {
				own = append(own, prefix)
			}
		}
	}
	return own
}

// addAddresses adds two addresses to the loopback interface until the test ends.
func addAddresses(t *testing.T) addressPair {
	t.Helper()
	pair, err := choose(ownAddresses(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{pair.registry, pair.downloads} {
		change := func(verb string) {
			if out, err := exec.Command("ip", "address", verb, address+"/32", "dev", "lo").CombinedOutput(); err != nil {
				t.Errorf("ip address %s %s: %v\n%s", verb, address, err, out)
			}
		}
		change("replace")
		t.Cleanup(func() { change("delete") })
	}
	return pair
}

func TestChooseAddresses(t *testing.T) {
	t.Parallel()
	for own, want := range map[string]string{
		"127.0.0.1/8":                                 "192.0.2.1 192.0.2.2",
		"127.0.0.1/8 192.0.2.2/24":                    "198.51.100.1 198.51.100.2",
		"10.0.0.5/8 192.0.2.200/25 198.51.100.129/26": "203.0.113.1 203.0.113.2",
		"203.0.113.9/32 fe80::1/64":                   "192.0.2.1 192.0.2.2",
		"192.0.2.2/24 198.51.100.1/32 203.0.113.7/30": "",
	} {
		var prefixes []netip.Prefix
		for _, prefix := range strings.Fields(own) {
			prefixes = append(prefixes, netip.MustParsePrefix(prefix))
		}
		pair, err := choose(prefixes)
		if got := strings.TrimSpace(pair.registry + " " + pair.downloads); got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v; want %q", own, got, err, want)
		}
	}
}

// host is the address of servers.
func (s *suite) host() string {
	if s.tlsDir == "" {
		return "127.0.0.1"
	}
	return s.addresses.registry
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
