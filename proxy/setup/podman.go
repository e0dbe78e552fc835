package setup

import "fmt"

// podmanName sorts behind the files of others: the last one that names a registry counts.
const podmanName = "zz-ecrkit-proxy.conf"

// podmanFile is our own file among those of podman, buildah, skopeo and CRI-O:
// containers-registries.conf.d(5).
func (s *Setup) podmanFile(host string) managed {
	return managed{
		path:   s.path("etc/containers/registries.conf.d", podmanName),
		remove: func(text []byte) ([]byte, error) { return cutBlock(text, host) },
		set: func(text []byte) ([]byte, error) {
			clean, err := cutBlock(text, host)
			if err != nil {
				return nil, err
			}
			insecure := s.Proxy.Scheme == "http"
			lines := []string{
				"[[registry]]", fmt.Sprintf("prefix = %q", host),
				fmt.Sprintf("location = %q", s.location(host)), fmt.Sprintf("insecure = %t", insecure),
			}
			if s.Fallback {
				lines = []string{
					"[[registry]]", fmt.Sprintf("prefix = %q", host), fmt.Sprintf("location = %q", host),
					"[[registry.mirror]]", fmt.Sprintf("location = %q", s.location(host)), fmt.Sprintf("insecure = %t", insecure),
				}
			}
			return checked(addBlock(clean, len(clean), host, lines...))
		},
	}
}

// location is where podman finds the repositories of a registry.
func (s *Setup) location(host string) string { return s.Proxy.Host + "/" + byName(host) }
