package setup

import "strings"

// proxyOf returns the proxy that the block of a registry names, "" if there is none: in hosts.toml its URL, in
// buildkitd.toml its address.
func proxyOf(text []byte, key string) string {
	start, end, err := findBlock(text, key)
	if start < 0 || err != nil {
		return ""
	}
	for line := range strings.Lines(string(text[start:end])) {
		line = strings.TrimRight(line, "\r\n")
		for _, before := range []string{`[host."`, `  mirrors = ["`} {
			if rest, ok := strings.CutPrefix(line, before); ok {
				return strings.TrimSuffix(rest, `"]`)
			}
		}
	}
	return ""
}

// earlier returns the setup that was made for a registry with another proxy, nil if there is no such setup.
func (s *Setup) earlier(host string) (*Setup, error) {
	if s.Engine == Podman { // the block of a registry has all
		return nil, nil
	}
	f, err := load(s.files(host)[0].path)
	if err != nil {
		return nil, err
	}
	proxy := proxyOf(f.original, host)
	if s.Engine == BuildKit && proxy != "" {
		scheme := "https://"
		if start, _, err := findBlock(f.original, proxy); start >= 0 || err != nil {
			scheme = "http://"
		}
		proxy = scheme + proxy
	}
	if proxy == "" || proxy == s.Proxy.String() {
		return nil, nil
	}
	old, err := New(s.Engine, proxy)
	if err != nil {
		return nil, nil // somebody has edited it
	}
	old.Root, old.Fallback = s.Root, true
	return old, nil
}

// edits returns the files that are about a registry, with the part of an earlier proxy taken out of each.
func (s *Setup) edits(host string) ([]managed, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	list := s.files(host)
	old, err := s.earlier(host)
	if old == nil || err != nil {
		return list, err
	}
	for _, m := range old.files(host) {
		known := false
		for i := range list {
			if list[i].path == m.path {
				known = true
				list[i].set, list[i].remove = after(m.remove, list[i].set), after(m.remove, list[i].remove)
			}
		}
		if !known {
			list = append(list, managed{path: m.path, set: m.remove, remove: m.remove})
		}
	}
	return list, nil
}

// after returns the edit that makes two edits.
func after(first, second edit) edit {
	return func(text []byte) ([]byte, error) {
		text, err := first(text)
		if err != nil {
			return nil, err
		}
		return second(text)
	}
}
