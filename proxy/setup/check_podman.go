package setup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// podmanRegistry is a registry of registries.conf.
type podmanRegistry struct {
	Prefix   string `toml:"prefix"`
	Location string `toml:"location"`
	Mirror   []struct {
		Location string `toml:"location"`
	} `toml:"mirror"`
	file string
}

func (s *Setup) checkPodman(host string) (RegistryAccess, string, error) {
	paths, err := s.podmanFiles()
	if err != nil {
		return NotConfigured, err.Error(), nil
	}
	registries, err := podmanRegistries(paths)
	if err != nil {
		return NotConfigured, err.Error(), nil
	}
	file := s.files(host)[0].path
	r, ok := registries[host]
	switch {
	case !ok && !slices.Contains(paths, file) && exists(file):
		return NotConfigured, fmt.Sprintf("podman reads %s for this user, and none of the files in %s", paths[0], filepath.Dir(file)), nil
	case !ok:
		return NotConfigured, file + " does not name it", nil
	}
	ours := s.location(host)
	var more []string
	for prefix, other := range registries {
		if strings.HasPrefix(prefix, host+"/") && !strings.HasPrefix(other.Location, ours) {
			more = append(more, fmt.Sprintf("%s sends %s elsewhere", other.file, prefix))
		}
	}
	slices.Sort(more)
	switch {
	case len(more) > 0:
		return Bypassed, more[0], nil
	case len(r.Mirror) == 0 && r.Location == ours:
		return ThroughProxy, "", nil
	case len(r.Mirror) > 0 && r.Mirror[0].Location == ours:
		if s.Fallback {
			return ThroughProxy, "", nil
		}
		return Bypassed, fmt.Sprintf("%s: podman falls back to %s when the proxy refuses an image or does not answer", r.file, host), nil
	case r.file != file:
		return Bypassed, fmt.Sprintf("%s names it too and is read later", r.file), nil
	}
	return NotConfigured, r.file + " names another proxy", nil
}

// podmanFiles returns the files that podman reads, in their order: containers-registries.conf.d(5). A user's registries.conf
// has it read none of the system's files, but [Setup.RegistriesConf] goes before.
func (s *Setup) podmanFiles() ([]string, error) {
	user, system := filepath.Join(s.UserDir, "registries.conf"), s.path("etc/containers/registries.conf")
	var dirs []string
	if s.UserDir != "" {
		dirs = []string{user + ".d"}
	}
	main := s.RegistriesConf
	if main != "" && !exists(main) {
		return nil, fmt.Errorf("%s does not exist, and podman pulls nothing while CONTAINERS_REGISTRIES_CONF names it", main)
	}
	if main == "" && s.UserDir != "" && exists(user) {
		main = user
	} else {
		dirs = append([]string{system + ".d"}, dirs...)
	}
	if main == "" {
		main = system
	}
	list := []string{main}
	for _, dir := range dirs {
		paths, err := filepath.Glob(filepath.Join(dir, "*.conf"))
		if err != nil {
			return nil, err
		}
		slices.Sort(paths)
		list = append(list, paths...)
	}
	return list, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// podmanRegistries returns the registries of files by prefix, as podman merges them: a later one replaces the entry of an
// earlier one.
func podmanRegistries(paths []string) (map[string]podmanRegistry, error) {
	all := map[string]podmanRegistry{}
	for _, path := range paths {
		f, err := load(path)
		if err != nil {
			return nil, err
		}
		var config struct {
			Registry []podmanRegistry `toml:"registry"`
		}
		if err := toml.Unmarshal(f.original, &config); err != nil {
			return nil, fmt.Errorf("%s is not TOML: %w", path, err)
		}
		for _, r := range config.Registry {
			if r.Prefix == "" {
				r.Prefix = r.Location
			}
			r.file = path
			all[r.Prefix] = r
		}
	}
	return all, nil
}
