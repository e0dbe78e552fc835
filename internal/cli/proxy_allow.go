package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/registryname"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// maxAllowFile bounds the file of allowed hosts in bytes.
const maxAllowFile = 1 << 20

// allowed reports whether the registry at host is served.
func (r *proxyRules) allowed(host string) bool {
	place, err := r.parse(host + "/repository")
	return r.set().allow[host] || err == nil && place.Kind == ref.KindECR
}

// readAllowed reads the hosts that the flags allow beside those of Amazon ECR.
func (s *proxyRuleSet) readAllowed(f proxyFlags) error {
	for _, host := range f.allow {
		if err := s.add(host); err != nil {
			return usagef("--allow %s: %w", host, err)
		}
	}
	if f.allowFile != "" {
		data, err := files.Read(f.allowFile, maxAllowFile)
		if err != nil {
			return fmt.Errorf("--allow-file: %w", err)
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		for n := 1; lines.Scan(); n++ {
			host, _, _ := strings.Cut(lines.Text(), "#")
			if host = strings.TrimSpace(host); host == "" {
				continue
			}
			if err := s.add(host); err != nil {
				return usagef("--allow-file %s, line %d: %q: %w", f.allowFile, n, host, err)
			}
		}
		if err := lines.Err(); err != nil {
			return fmt.Errorf("--allow-file %s: %w", f.allowFile, err)
		}
	}
	return nil
}

// add allows a host.
func (s *proxyRuleSet) add(host string) error {
	if scheme, rest, ok := strings.Cut(host, "://"); ok {
		rest, _, _ = strings.Cut(rest, "/")
		return fmt.Errorf("begins with %s://, which a host does not; write %s", scheme, rest)
	}
	if name, _, ok := strings.Cut(host, "/"); ok {
		return fmt.Errorf("has a path, which a host does not; write %s", name)
	}
	canonical, err := registryname.Host(host)
	if err == nil {
		s.allow[canonical] = true
	}
	return err
}
