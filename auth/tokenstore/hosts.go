package tokenstore

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

const hostsName = "hosts"

func (s *Store) hosts() string { return filepath.Join(s.directory(), hostsName) }

// MarkHost notes that a token that expires then was given to a host.
func (s *Store) MarkHost(host string, expires time.Time) error {
	path := filepath.Join(s.hosts(), url.PathEscape(host))
	if info, err := os.Lstat(path); err == nil && !info.ModTime().Before(expires.Truncate(time.Second)) {
		return nil
	}
	if err := os.MkdirAll(s.hosts(), 0o700); err != nil {
		return fmt.Errorf("token cache: %w", err)
	}
	if err := tokenfile.CheckDirectory(s.hosts(), false); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("token cache: %w", err)
	}
	return errors.Join(file.Close(), os.Chtimes(path, expires, expires))
}

// Hosts lists the hosts to which a token was given that may be valid still.
func (s *Store) Hosts() ([]string, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.hosts())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("token cache: %w", err)
	}
	var hosts []string
	for _, entry := range entries {
		host, err := url.PathUnescape(entry.Name())
		info, infoErr := entry.Info()
		if err == nil && infoErr == nil && info.ModTime().After(s.now()) {
			hosts = append(hosts, host)
		}
	}
	return hosts, nil
}

func (s *Store) pruneHosts(now time.Time) {
	entries, err := os.ReadDir(s.hosts())
	if err != nil {
		return
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && !info.ModTime().After(now) {
			_ = os.Remove(filepath.Join(s.hosts(), entry.Name()))
		}
	}
}
