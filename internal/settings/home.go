package settings

import (
	"os/user"

	"github.com/ecrkit/ecrkit/internal/startup"
)

// WithHome returns env with the home directory of the user database where the
// environment names none, as under sudo, in a container or in a job of a service
// manager.
func WithHome(env startup.Environment) startup.Environment {
	return withHome(env, func() string {
		current, err := user.Current()
		if err != nil {
			return ""
		}
		return current.HomeDir
	})
}

func withHome(env startup.Environment, lookUp func() string) startup.Environment {
	if env.Home() != "" {
		return env
	}
	home := lookUp()
	return func(key string) (string, bool) {
		if key == startup.HomeVariable {
			return home, home != ""
		}
		return env(key)
	}
}
