package setup

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrFallback is the error of [Setup.Set] for an engine that cannot do without a fallback, if Setup.Fallback does not allow it.
var ErrFallback = errors.New("BuildKit always falls back to the registry itself: a policy of the proxy does not bind it")

// buildkitFile is the configuration of BuildKit:
// https://github.com/moby/buildkit/blob/master/docs/buildkitd.toml.md.
func (s *Setup) buildkitFile(host string) managed {
	proxy := s.Proxy.Host
	remove := func(text []byte) ([]byte, error) {
		text, err := cutBlock(text, host)
		if err != nil || slices.ContainsFunc(blockKeys(text), func(key string) bool { return proxyOf(text, key) == proxy }) {
			return text, err
		}
		return cutBlock(text, proxy)
	}
	return managed{
		path:   s.path("etc/buildkit/buildkitd.toml"),
		remove: remove,
		set: func(text []byte) ([]byte, error) {
			if !s.Fallback {
				return nil, ErrFallback
			}
			before, err := remove(text)
			if err != nil {
				return nil, err
			}
			edited, err := s.addMirror(before, host)
			if err == nil && s.Proxy.Scheme == "http" {
				edited, err = addRegistry(edited, proxy, "http", "  http = true")
			}
			if err != nil {
				return nil, err
			}
			return edited, sameBesides(before, edited, "registry", host, proxy)
		},
	}
}

// addMirror makes the proxy the mirror of a registry.
func (s *Setup) addMirror(text []byte, host string) ([]byte, error) {
	return addRegistry(text, host, "mirrors", fmt.Sprintf("  mirrors = [%q]", s.Proxy.Host))
}

// addRegistry adds a setting to the table of a registry, which it appends if there is none.
// One that is there already, and not ours, stays.
func addRegistry(text []byte, registry, setting, line string) ([]byte, error) {
	document, err := decode(text)
	if err != nil {
		return nil, err
	}
	if start, _, err := findBlock(text, registry); start >= 0 || err != nil {
		return text, err
	}
	tables, _ := document["registry"].(map[string]any)
	table, ok := tables[registry].(map[string]any)
	header := fmt.Sprintf("[registry.%q]", registry)
	if !ok {
		return addBlock(text, len(text), registry, header, line), nil
	}
	if _, set := table[setting]; set {
		if setting == "http" && table[setting] == true {
			return text, nil
		}
		return nil, fmt.Errorf("%s has %s already; change it by hand to%s", header, setting, line[strings.Index(line, "=")+1:])
	}
	at := 0
	for l := range strings.Lines(string(text)) {
		at += len(l)
		if strings.HasPrefix(strings.TrimSpace(l), header) {
			return addBlock(text, at, registry, line), nil
		}
	}
	return nil, fmt.Errorf("the table of %s is not written as %s; add to it by hand:%s", registry, header, line)
}
