package startup

import "os"

// Environment looks up a variable, as [os.LookupEnv] does. Its methods return where
// ecrkit's files are by the environment alone. What depends on the home directory
// is "" without one, never a path in the working directory, where anybody may have
// put a file; variables that must be absolute count only if they are.
type Environment func(key string) (value string, ok bool)

// EnvironmentOf returns the Environment of a list of KEY=VALUE as [os.Environ]
// returns it. Of two values of a variable the first one counts, as in package os.
func EnvironmentOf(variables []string) Environment {
	return func(key string) (string, bool) {
		for _, variable := range variables {
			if name, value, _ := cut(variable, '='); sameVariable(name, key) {
				return value, true
			}
		}
		return "", false
	}
}

// Get returns the value of a variable, "" if it is not set.
func (env Environment) Get(key string) string {
	value, _ := env(key)
	return value
}

// ConfigFile returns the path of the configuration file, or "".
func (env Environment) ConfigFile() string {
	switch {
	case env.Get("ECRKIT_CONFIG") != "":
		return env.Expand(env.Get("ECRKIT_CONFIG"))
	case env.directory("XDG_CONFIG_HOME") != "":
		return join(env.directory("XDG_CONFIG_HOME"), "ecrkit", "config.yaml")
	}
	return join(env.configDir(), "config.yaml")
}

// ChosenCache returns the directory of the token cache that the environment
// names, or "".
func (env Environment) ChosenCache() string {
	for _, key := range []string{"ECRKIT_CACHE_DIR", "AWS_ECR_CACHE_DIR"} {
		if dir := env.Get(key); dir != "" {
			return env.Expand(dir)
		}
	}
	return ""
}

// DefaultCache returns the directory of the token cache if none is named, or "".
func (env Environment) DefaultCache() string {
	if dir := env.directory("XDG_CACHE_HOME"); dir != "" {
		return join(dir, "ecrkit")
	}
	return env.cacheDir()
}

// StateDir returns the directory of what must outlive a process but not the
// machine, such as unfinished uploads, or "".
func (env Environment) StateDir() string {
	switch {
	case env.Get("ECRKIT_STATE_DIR") != "":
		return env.Expand(env.Get("ECRKIT_STATE_DIR"))
	case env.directory("XDG_STATE_HOME") != "":
		return join(env.directory("XDG_STATE_HOME"), "ecrkit")
	}
	return env.stateDir()
}

// DataDir returns the directory of what a user keeps, such as the local ECR's images,
// or "".
func (env Environment) DataDir() string {
	if dir := env.directory("XDG_DATA_HOME"); dir != "" {
		return join(dir, "ecrkit")
	}
	return env.dataDir()
}

// Home returns the user's home directory, or "".
func (env Environment) Home() string { return env.directory(HomeVariable) }

// directory returns the value of a variable if it is an absolute path, or "". The
// XDG Base Directory Specification wants others to be ignored.
func (env Environment) directory(key string) string {
	if path := env.Get(key); isAbsolute(path) {
		return path
	}
	return ""
}

// Expand replaces a leading ~/, on Windows also ~\, by the home directory; without one it returns "".
func (env Environment) Expand(path string) string {
	if len(path) >= 2 && path[0] == '~' && os.IsPathSeparator(path[1]) {
		return join(env.Home(), path[2:])
	}
	return path
}

// join is filepath.Join for clean paths; without a directory it returns "".
func join(directory string, elements ...string) string {
	if directory == "" {
		return ""
	}
	for _, element := range elements {
		directory += string(os.PathSeparator) + element
	}
	return directory
}
