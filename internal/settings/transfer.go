package settings

import (
	"fmt"
	"strconv"

	"github.com/ecrkit/ecrkit/internal/startup"
)

// Transfer has the limits of transfers; zero values are the defaults.
type Transfer struct {
	Layers         int    `yaml:"layers"`          // large layers at once
	Connections    int    `yaml:"connections"`     // for one layer
	AllConnections int    `yaml:"max_connections"` // for all layers
	Upload         string `yaml:"upload"`          // auto, v2 or native
}

// maxAtOnce is the largest number that is taken: more connections would only run out of file descriptors.
const maxAtOnce = 1000

// with returns the settings with those of the environment, which win.
func (t Transfer) with(env startup.Environment) (Transfer, error) {
	for _, number := range []struct {
		variable, key string
		value         *int
	}{
		{"ECRKIT_LAYERS", "layers", &t.Layers},
		{"ECRKIT_CONNECTIONS", "connections", &t.Connections},
		{"ECRKIT_MAX_CONNECTIONS", "max_connections", &t.AllConnections},
	} {
		if s := env.Get(number.variable); s != "" {
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 || n > maxAtOnce {
				return t, fmt.Errorf("%s: %q is not a number from 1 to %d", number.variable, s, maxAtOnce)
			}
			*number.value = n
		}
		if *number.value < 0 || *number.value > maxAtOnce {
			return t, fmt.Errorf("transfer.%s: %d is not a number from 1 to %d", number.key, *number.value, maxAtOnce)
		}
	}
	from := "transfer.upload"
	if s := env.Get("ECRKIT_UPLOAD"); s != "" {
		from, t.Upload = "ECRKIT_UPLOAD", s
	}
	switch t.Upload {
	case "", "auto", "v2", "native":
		return t, nil
	}
	return t, fmt.Errorf("%s: %q is neither auto, v2 nor native", from, t.Upload)
}
