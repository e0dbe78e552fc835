package registryname

import (
	"slices"
	"testing"
)

func TestHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"docker.io": "docker.io", "Docker.IO": "docker.io", "docker.io.": "docker.io", "docker.io:443": "docker.io", "docker.io.:0443": "docker.io",
		"index.docker.io": "docker.io", "registry-1.docker.io": "docker.io", "INDEX.docker.io.:443": "docker.io", "registry.hub.docker.com": "docker.io",
		"docker.io:5000": "docker.io:5000", "evil-docker.io": "evil-docker.io", "docker.io.example": "docker.io.example", "auth.docker.io": "auth.docker.io",
		"ghcr.io:443": "ghcr.io", "registry:443": "registry:443", "ghcr.io:80": "ghcr.io:80", "ghcr.io:08443": "ghcr.io:8443",
		"localhost:443": "localhost:443", "localhost.:05000": "localhost:5000", "127.0.0.1:80": "127.0.0.1:80",
		"[0:0:0:0:0:0:0:1]:5000": "[::1]:5000", "[::FFFF:7f00:1]:5000": "127.0.0.1:5000", "[::ffff:127.0.0.1]": "127.0.0.1", "[2001:db8::0:1]:443": "[2001:db8::1]",
	} {
		if got, err := Host(host); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", host, got, err, want)
		}
	}
	for _, host := range []string{
		"", ".", "docker.io..", "doc\u212aer.io", "docker.io:", "docker.io:0", "docker.io:65536", "docker.io:000443", "docker.io:+443", "docker.io: 443",
		"127.1:5000", "0x7f.1", "0x7f000001:5000", "2130706433:5000", "0177.0.0.1", "127.0.0.1.1", "1.2.3.256", "[::1", "::1]", "[127.0.0.1]", "[fe80::1%eth0]", "a@b", "a/b", `a\b`, "a_b.io", "-a.io",
	} {
		if got, err := Host(host); err == nil {
			t.Errorf("%q is taken as %q", host, got)
		}
	}
}

func TestRepository(t *testing.T) {
	t.Parallel()
	for _, test := range [][3]string{
		{"docker.io", "alpine", "library/alpine"}, {"docker.io", "library/alpine", "library/alpine"}, {"docker.io", "grafana/loki", "grafana/loki"},
		{"ghcr.io", "alpine", "alpine"}, {"docker.io", "", ""},
	} {
		if got := Repository(test[0], test[1]); got != test[2] {
			t.Errorf("%v: got %q", test, got)
		}
	}
}

// TestSpellings has each spelling lead back to the repository.
func TestSpellings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		host, repository string
		has              []string
	}{
		{"docker.io", "library/alpine", []string{"docker.io/library/alpine", "docker.io/alpine", "registry-1.docker.io:443/alpine", "index.docker.io/library/alpine"}},
		{"docker.io", "a/b", []string{"docker.io/a/b", "index.docker.io/a/b"}},
		{"ghcr.io", "library/a", []string{"ghcr.io/library/a", "ghcr.io:443/library/a"}},
		{"localhost", "a", []string{"localhost/a", "localhost:80/a", "localhost:443/a"}},
		{"localhost:443", "a", []string{"localhost:443/a", "localhost/a"}},
		{"[::1]:5000", "a", []string{"[::1]:5000/a"}},
	} {
		got := Spellings(test.host, test.repository)
		if got[0] != test.has[0] {
			t.Errorf("the first is %q, want %q", got[0], test.has[0])
		}
		for _, want := range test.has {
			if !slices.Contains(got, want) {
				t.Errorf("%v has no %q", got, want)
			}
		}
	}
}
