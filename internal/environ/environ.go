// Package environ reads an environment, and says by it alone where ecrkit's files
// are. What it may import is said in package tokenfile.
package environ

import (
	"os"
	"runtime"
	"strings"
)

// Lookup gives the value of a variable and whether it is set, as [os.LookupEnv] does.
type Lookup func(key string) (string, bool)

// Of makes the Lookup of a list of KEY=VALUE as [os.Environ] gives it. Of two
// values the first counts, as in package os.
func Of(list []string) Lookup {
	same := func(a, b string) bool { return a == b }
	if runtime.GOOS == "windows" {
		same = strings.EqualFold
	}
	return func(key string) (string, bool) {
		for _, entry := range list {
			if name, value, _ := strings.Cut(entry, "="); same(name, key) {
				return value, true
			}
		}
		return "", false
	}
}

// Get gives the value of a variable, "" if it is not set.
func (env Lookup) Get(key string) string {
	value, _ := env(key)
	return value
}

// ConfigFile is the path of the configuration file.
func (env Lookup) ConfigFile() string {
	switch {
	case env.Get("ECRKIT_CONFIG") != "":
		return env.Get("ECRKIT_CONFIG")
	case env.Get("XDG_CONFIG_HOME") != "":
		return join(env.Get("XDG_CONFIG_HOME"), "ecrkit", "config.yaml")
	case runtime.GOOS == "windows" && env.Get("APPDATA") != "":
		return join(env.Get("APPDATA"), "ecrkit", "config.yaml")
	}
	return join(env.Home(), ".config", "ecrkit", "config.yaml")
}

// ChosenCache is the directory of the token cache that the environment names, or "".
func (env Lookup) ChosenCache() string {
	for _, key := range []string{"ECRKIT_CACHE_DIR", "AWS_ECR_CACHE_DIR"} {
		if dir := env.Get(key); dir != "" {
			return env.Expand(dir)
		}
	}
	return ""
}

// DefaultCache is the directory of the token cache if nothing names another; ""
// without a home directory.
func (env Lookup) DefaultCache() string {
	switch {
	case env.Get("XDG_CACHE_HOME") != "":
		return join(env.Get("XDG_CACHE_HOME"), "ecrkit")
	case runtime.GOOS == "windows" && env.Get("LOCALAPPDATA") != "":
		return join(env.Get("LOCALAPPDATA"), "ecrkit")
	case env.Home() == "":
		return ""
	case runtime.GOOS == "darwin":
		return join(env.Home(), "Library", "Caches", "ecrkit")
	}
	return join(env.Home(), ".cache", "ecrkit")
}

// StateDir is the directory of what must outlive a process but not the machine,
// such as the uploads that have begun; "" without a home directory.
func (env Lookup) StateDir() string {
	switch {
	case env.Get("ECRKIT_STATE_DIR") != "":
		return env.Expand(env.Get("ECRKIT_STATE_DIR"))
	case env.Get("XDG_STATE_HOME") != "":
		return join(env.Get("XDG_STATE_HOME"), "ecrkit")
	case runtime.GOOS == "windows" && env.Get("LOCALAPPDATA") != "":
		return join(env.Get("LOCALAPPDATA"), "ecrkit", "state")
	case env.Home() == "":
		return ""
	}
	return join(env.Home(), ".local", "state", "ecrkit")
}

// Home is the user's home directory, or "".
func (env Lookup) Home() string {
	if runtime.GOOS == "windows" {
		return env.Get("USERPROFILE")
	}
	return env.Get("HOME")
}

// Expand puts the home directory in the place of a leading ~.
func (env Lookup) Expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return join(env.Home(), rest)
	}
	return path
}

// join is filepath.Join, for paths that are clean.
func join(elements ...string) string {
	return strings.Join(elements, string(os.PathSeparator))
}
