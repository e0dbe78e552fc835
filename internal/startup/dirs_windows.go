package startup

// The variables are set by Windows, but not for every service.

func (env Environment) configDir() string { return env.inProfile("APPDATA", ".config") }

func (env Environment) cacheDir() string { return env.inProfile("LOCALAPPDATA", ".cache") }

func (env Environment) stateDir() string {
	return join(env.inProfile("LOCALAPPDATA", ".local"), "state")
}

func (env Environment) dataDir() string { return env.inProfile("LOCALAPPDATA", ".local") }

// inProfile returns ecrkit's directory in the one that a variable names, or in the
// home directory.
func (env Environment) inProfile(variable, otherwise string) string {
	if dir := env.directory(variable); dir != "" {
		return join(dir, "ecrkit")
	}
	return join(env.Home(), otherwise, "ecrkit")
}
