package cli

import "runtime/debug"

// copyMemory is from how many bytes on the garbage collector works harder during a copy:
// one between registries holds 80 MiB of parts, which would let the heap grow to twice
// that. More is used if it is needed.
const copyMemory = 112 << 20

// limitMemory sets the soft limit of a copy, unless GOMEMLIMIT sets one, and returns what
// ends it. Other commands have no such limit: a server or a long report that needs more
// would only be slow.
func (app *App) limitMemory() (end func()) {
	if value, _ := app.Env("GOMEMLIMIT"); value != "" {
		return func() {}
	}
	before := debug.SetMemoryLimit(copyMemory)
	return func() { debug.SetMemoryLimit(before) }
}
