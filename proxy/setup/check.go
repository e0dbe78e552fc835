package setup

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// RegistryAccess is how an engine reads a registry.
type RegistryAccess string

// How an engine reads a registry.
const (
	// ThroughProxy is as it was set up.
	ThroughProxy RegistryAccess = "ok"
	// NotConfigured is not through the proxy.
	NotConfigured RegistryAccess = "not configured"
	// Bypassed is through the proxy, but not only.
	Bypassed RegistryAccess = "bypassed"
)

// Check returns how the files have the engine read a registry, in its canonical spelling,
// and what is wrong with them. It asks no engine, which may have been started before they
// were written.
func (s *Setup) Check(host string) (RegistryAccess, string, error) {
	if err := errors.Join(s.check(), checkHost(host)); err != nil {
		return "", "", err
	}
	switch s.Engine {
	case Docker:
		state, detail, err := s.checkHosts(host)
		if state == ThroughProxy {
			return s.checkDaemon(host)
		}
		return state, detail, err
	case Containerd:
		state, detail, err := s.checkHosts(host)
		if state == ThroughProxy {
			return s.checkConfigPath()
		}
		return state, detail, err
	case Podman:
		return s.checkPodman(host)
	}
	return s.checkBuildkit(host)
}

// Hosts returns the registries that the engine's files have our part for.
func (s *Setup) Hosts() ([]string, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	pattern := s.files("*")[0].path
	if s.Engine == Podman || s.Engine == BuildKit {
		f, err := load(pattern)
		if err != nil {
			return nil, err
		}
		return slices.DeleteFunc(blockKeys(f.original), func(key string) bool {
			_, _, err := findBlock(f.original, key)
			return s.Engine == BuildKit && err == nil && proxyOf(f.original, key) == "" // it is about a proxy
		}), nil
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	var hosts []string
	for _, path := range paths {
		f, err := load(path)
		if err != nil {
			return nil, err
		}
		if host := filepath.Base(filepath.Dir(path)); slices.Contains(blockKeys(f.original), host) {
			hosts = append(hosts, host)
		}
	}
	return hosts, nil
}

// isProxy reports whether an endpoint of a hosts.toml is the proxy.
func (s *Setup) isProxy(url string) bool {
	return strings.TrimSuffix(strings.TrimSuffix(url, "/"), "/v2") == s.Proxy.String()
}

func (s *Setup) checkHosts(host string) (RegistryAccess, string, error) {
	path := s.files(host)[0].path
	f, err := load(path)
	if err != nil {
		return "", "", err
	}
	if f.original == nil {
		return NotConfigured, path + " does not exist", nil
	}
	list, err := endpoints(f.original, host)
	if err != nil {
		return NotConfigured, fmt.Sprintf("%s is not TOML: %v", path, err), nil
	}
	list = slices.DeleteFunc(list, func(e endpoint) bool { return !e.pull })
	switch i := slices.IndexFunc(list, func(e endpoint) bool { return s.isProxy(e.url) }); {
	case i < 0:
		return NotConfigured, path + " does not name the proxy", nil
	case i > 0:
		return Bypassed, fmt.Sprintf("%s names %s before the proxy", path, list[0].url), nil
	}
	other := slices.IndexFunc(list, func(e endpoint) bool { return !s.isProxy(e.url) })
	if other >= 0 && !s.Fallback {
		return Bypassed, fmt.Sprintf("%s: the engine falls back to %s when the proxy refuses an image or does not answer", path, list[other].url), nil
	}
	return ThroughProxy, "", nil
}

func (s *Setup) checkDaemon(host string) (RegistryAccess, string, error) {
	for _, m := range s.files(host)[1:] {
		f, err := load(m.path)
		if err != nil {
			return "", "", err
		}
		have, err := insecure(f.original)
		if err != nil || !slices.Contains(have, s.Proxy.Host) {
			return NotConfigured, fmt.Sprintf("%s: %s does not name %s, so docker does not speak plain HTTP to it", m.path, insecureKey, s.Proxy.Host), err
		}
	}
	return ThroughProxy, "", nil
}

func (s *Setup) checkBuildkit(host string) (RegistryAccess, string, error) {
	path := s.files(host)[0].path
	f, err := load(path)
	if err != nil {
		return "", "", err
	}
	var config struct {
		Registry map[string]struct {
			Mirrors []string `toml:"mirrors"`
			HTTP    bool     `toml:"http"`
		} `toml:"registry"`
	}
	if err := toml.Unmarshal(f.original, &config); err != nil {
		return NotConfigured, fmt.Sprintf("%s is not TOML: %v", path, err), nil
	}
	mirrors := config.Registry[host].Mirrors
	switch i := slices.Index(mirrors, s.Proxy.Host); {
	case i < 0:
		return NotConfigured, path + " does not name the proxy as a mirror", nil
	case s.Proxy.Scheme == "http" && !config.Registry[s.Proxy.Host].HTTP:
		return NotConfigured, fmt.Sprintf("%s: [registry.%q] lacks http = true", path, s.Proxy.Host), nil
	case i > 0:
		return Bypassed, fmt.Sprintf("%s names %s before the proxy", path, mirrors[0]), nil
	case !s.Fallback:
		return Bypassed, fmt.Sprintf("%s: %v", path, ErrFallback), nil
	}
	return ThroughProxy, "", nil
}
