package tokenstore

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

const hostsName = "hosts"

// fileOfHost returns the name of a host's file, in the same way on every system. On
// Windows a colon, as before a port, would begin the name of a stream, and a host such
// as nul.example.com would be a device.
func fileOfHost(host string) string {
	if host != "" && files.IsDevice(host) {
		return fmt.Sprintf("%%%02X", host[0]) + url.QueryEscape(host[1:])
	}
	return url.QueryEscape(host)
}

func (s *Store) hosts() string { return filepath.Join(s.directory(), hostsName) }

// MarkHost notes that a token that expires then was given to a host.
func (s *Store) MarkHost(host string, expires time.Time) error {
	path := filepath.Join(s.hosts(), fileOfHost(host))
	if info, err := os.Lstat(path); err == nil && !info.ModTime().Before(expires.Truncate(time.Second)) {
		return nil
	}
	if err := os.MkdirAll(s.hosts(), 0o700); err != nil {
		return fmt.Errorf("token cache: %w", err)
	}
	if err := tokenfile.CheckDirectory(s.hosts(), false); err != nil {
		return err
	}
	file, err := files.OpenOwn(path, os.O_WRONLY|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, files.ErrUntrusted):
		return fmt.Errorf("%w: %w; remove it", ErrUnsafe, err)
	case err != nil:
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
		info, err := entry.Info()
		if err != nil || !isHost(info) || !info.ModTime().After(s.now()) {
			continue
		}
		if host, err := url.QueryUnescape(info.Name()); err == nil {
			hosts = append(hosts, host)
		}
	}
	return hosts, nil
}

// removeHosts removes the hosts whose tokens expire at a time that matches.
func (s *Store) removeHosts(match func(expires time.Time) bool) {
	entries, err := os.ReadDir(s.hosts())
	if err != nil {
		return
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && isHost(info) && match(info.ModTime()) {
			_ = os.Remove(filepath.Join(s.hosts(), entry.Name()))
		}
	}
}

// isHost reports whether a file is one that MarkHost makes: empty, and its name is
// an escaped host.
func isHost(info fs.FileInfo) bool {
	host, err := url.QueryUnescape(info.Name())
	return err == nil && fileOfHost(host) == info.Name() && info.Mode().IsRegular() && info.Size() == 0
}
