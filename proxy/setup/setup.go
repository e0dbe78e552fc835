package setup

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/internal/loopback"
)

// Engine is a program that pulls images.
type Engine string

// The engines.
const (
	Docker     Engine = "docker"
	Podman     Engine = "podman"
	Containerd Engine = "containerd"
	BuildKit   Engine = "buildkit"
)

// Engines returns all of them.
func Engines() []Engine { return []Engine{Docker, Podman, Containerd, BuildKit} }

// Setup is how one engine reaches a proxy.
type Setup struct {
	Engine Engine
	// Root is the directory that has etc; "" is the root of the file system.
	Root string
	// UserDir is the directory of a user's own files for podman, ~/.config/containers, which Check reads as podman does; ""
	// is none.
	UserDir string
	// RegistriesConf is the file that podman reads in place of registries.conf, which CONTAINERS_REGISTRIES_CONF names; "" is
	// none.
	RegistriesConf string
	// Proxy is the URL of the proxy, with a port and without a path.
	Proxy *url.URL
	// Fallback has the engine read from the registry itself when the proxy does not answer
	// or refuses.
	Fallback bool
}

// New returns the setup of an engine for the proxy at proxyURL, such as
// http://127.0.0.1:4511.
func New(engine Engine, proxyURL string) (*Setup, error) {
	u, err := url.Parse(proxyURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Port() == "" || u.Hostname() == "" ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.ContainsAny(u.Host, `"\ `) {
		return nil, fmt.Errorf("%.200q is not the URL of a proxy; write it as http://127.0.0.1:4511", proxyURL)
	}
	u.Path = ""
	s := &Setup{Engine: engine, Proxy: u}
	if s.files("registry.example") == nil {
		return nil, fmt.Errorf("%q is not an engine; write docker, podman, containerd or buildkit", engine)
	}
	return s, nil
}

// FileState is what has become of a file.
type FileState string

// What becomes of a file.
const (
	Written   FileState = "written"
	Removed   FileState = "removed"
	Unchanged FileState = "unchanged"
)

// FileChange is one file and what has become of it.
type FileChange struct {
	File  string    `json:"file"`
	State FileState `json:"state"`
}

// managed is a file of an engine with our part in it.
type managed struct {
	path string
	set  edit
	// remove takes our part out. The file goes if it returns nil; one that was empty before stays.
	remove edit
}

// edit returns a file as it is to be. A file that does not exist is nil.
type edit func(text []byte) ([]byte, error)

// files returns the files that are about a registry.
func (s *Setup) files(host string) []managed {
	switch s.Engine {
	case Docker:
		list := []managed{s.hostsFile("etc/docker/certs.d", host)}
		if s.Proxy.Scheme == "http" && !loopback.Is(s.Proxy.Hostname()) {
			list = append(list, s.daemonFile(host))
		}
		return list
	case Containerd:
		return []managed{s.hostsFile("etc/containerd/certs.d", host)}
	case Podman:
		return []managed{s.podmanFile(host)}
	case BuildKit:
		return []managed{s.buildkitFile(host)}
	}
	return nil
}

func (s *Setup) path(elements ...string) string {
	return filepath.Join(append([]string{s.Root, string(filepath.Separator)}, elements...)...)
}

// Set has the engine read a registry, in its canonical spelling, through the proxy, and no longer through another one
// that was set up before.
func (s *Setup) Set(host string) ([]FileChange, error) {
	if err := checkHost(host); err != nil {
		return nil, err
	}
	list, err := s.edits(host)
	if err != nil {
		return nil, err
	}
	return change(list, func(m managed) edit { return m.set })
}

// Remove restores the files as they were before [Setup.Set], also if that was for another proxy.
func (s *Setup) Remove(host string) ([]FileChange, error) {
	if err := checkHost(host); err != nil {
		return nil, err
	}
	list, err := s.edits(host)
	if err != nil {
		return nil, err
	}
	return change(list, func(m managed) edit { return m.remove })
}

// check refuses a setup that nothing can be written for.
func (s *Setup) check() error {
	if !slices.Contains(Engines(), s.Engine) {
		return fmt.Errorf("the engine %q is unknown", s.Engine)
	}
	if s.Proxy == nil {
		return errNoProxy
	}
	return nil
}

var errNoProxy = errors.New("the URL of the proxy is not set")

// checkHost refuses what is no part of a path of the proxy, and of no file name.
func checkHost(host string) error {
	if host == "" || host[0] == '.' || strings.ContainsAny(host, "/\\[]\"\n ") {
		return fmt.Errorf("registry %.100q cannot be named in a path of the proxy; use a host name", host)
	}
	return nil
}

// change edits files: it writes none unless all can be edited.
func change(list []managed, which func(managed) edit) ([]FileChange, error) {
	texts := make([]*textFile, len(list))
	for i, m := range list {
		f, err := load(m.path)
		if err != nil {
			return nil, err
		}
		if f.text, err = which(m)(f.original); err != nil {
			return nil, fmt.Errorf("%s: %w", m.path, err)
		}
		texts[i] = f
	}
	changes := make([]FileChange, 0, len(list))
	for i, f := range texts {
		state, err := f.save()
		if err != nil {
			return changes, err
		}
		changes = append(changes, FileChange{File: list[i].path, State: state})
	}
	return changes, nil
}

// byName returns how clients write a registry in a name of the proxy.
func byName(host string) string { return strings.Replace(host, ":", "_", 1) }
