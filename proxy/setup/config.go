package setup

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// The plugins that have containerd's settings of registries for Kubernetes.
const (
	criPlugin    = "io.containerd.grpc.v1.cri"   // containerd 1, files of version 2
	imagesPlugin = "io.containerd.cri.v1.images" // containerd 2, files of version 3 and later
)

// certsDir is where [Setup.Set] writes for containerd.
const certsDir = "/etc/containerd/certs.d"

// containerdConfig is the part of config.toml that decides whether Kubernetes reads hosts.toml.
type containerdConfig struct {
	Version  int      `toml:"version"`
	Imports  []string `toml:"imports"`
	Disabled []string `toml:"disabled_plugins"`
	Plugins  map[string]struct {
		Registry struct {
			ConfigPath string         `toml:"config_path"`
			Mirrors    map[string]any `toml:"mirrors"`
		} `toml:"registry"`
	} `toml:"plugins"`
}

// checkConfigPath reports whether containerd's CRI plugin, which pulls for Kubernetes, reads hosts.toml. containerd
// from 2.2 on does unless it is told otherwise, and earlier ones only if they are told to:
// https://github.com/containerd/containerd/blob/main/docs/hosts.md#cri.
func (s *Setup) checkConfigPath() (RegistryAccess, string, error) {
	path := s.path("etc/containerd/config.toml")
	f, err := load(path)
	if err != nil {
		return "", "", err
	}
	if f.original == nil { // no Kubernetes works without
		return ThroughProxy, "", nil
	}
	config, err := s.containerdConfig(f)
	if err != nil {
		return NotConfigured, err.Error(), nil
	}
	plugin := imagesPlugin
	if config.Version <= 2 {
		plugin = criPlugin
	}
	for _, name := range []string{"cri", criPlugin, imagesPlugin} {
		if slices.Contains(config.Disabled, name) {
			return ThroughProxy, "", nil
		}
	}
	registry := config.Plugins[plugin].Registry
	byDefault := config.Version > 3 && registry.ConfigPath == "" && len(registry.Mirrors) == 0
	if byDefault || slices.Contains(filepath.SplitList(registry.ConfigPath), certsDir) {
		return ThroughProxy, "", nil
	}
	detail := fmt.Sprintf("set config_path = %q in [plugins.%q.registry] and restart containerd", certsDir, plugin)
	if config.Version == 3 && registry.ConfigPath == "" && len(registry.Mirrors) == 0 {
		return NotConfigured, fmt.Sprintf("%s has Kubernetes read hosts.toml only from containerd 2.2 on: %s", path, detail), nil
	}
	return NotConfigured, fmt.Sprintf("%s does not have Kubernetes read hosts.toml: %s", path, detail), nil
}

// containerdConfig parses a config.toml and the files that it imports, whose settings replace its own.
func (s *Setup) containerdConfig(main *textFile) (config containerdConfig, err error) {
	if err := toml.Unmarshal(main.original, &config); err != nil {
		return config, fmt.Errorf("%s is not TOML: %w", main.path, err)
	}
	for _, pattern := range config.Imports {
		if filepath.IsAbs(pattern) {
			pattern = s.path(pattern)
		} else {
			pattern = filepath.Join(filepath.Dir(main.path), pattern)
		}
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return config, fmt.Errorf("%s imports %q: %w", main.path, pattern, err)
		}
		for _, path := range paths {
			f, err := load(path)
			if err != nil {
				return config, err
			}
			var imported containerdConfig
			if err := toml.Unmarshal(f.original, &imported); err != nil {
				return config, fmt.Errorf("%s is not TOML: %w", path, err)
			}
			config.Disabled = append(config.Disabled, imported.Disabled...)
			for name, plugin := range imported.Plugins {
				if config.Plugins == nil {
					config.Plugins = imported.Plugins
				}
				if plugin.Registry.ConfigPath != "" {
					config.Plugins[name] = plugin
				}
			}
		}
	}
	return config, nil
}
