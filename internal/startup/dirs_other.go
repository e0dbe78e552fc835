//go:build !darwin && !windows

package startup

func (env Environment) configDir() string { return join(env.Home(), ".config", "ecrkit") }

func (env Environment) cacheDir() string { return join(env.Home(), ".cache", "ecrkit") }

func (env Environment) stateDir() string { return join(env.Home(), ".local", "state", "ecrkit") }

func (env Environment) dataDir() string { return join(env.Home(), ".local", "share", "ecrkit") }
