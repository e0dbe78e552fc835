package cli

import "runtime/debug"

const (
	// copyMemory is from how many bytes on the garbage collector works harder during a copy:
	// one between registries holds 80 MiB of parts, which would let the heap grow to twice
	// that. More is used if it is needed.
	copyMemory = 112 << 20

	// copyGrowth is by how many percent the heap of a copy may grow before it is collected.
	// Little of it is garbage, so that half of Go's default saves 1 MiB and costs no
	// measurable CPU time.
	copyGrowth = 50
)

// limitMemory sets the soft limit and the growth of a copy, unless GOMEMLIMIT and GOGC set
// them, and returns what ends that. Other commands have no such limits: a server or a long
// report that needs more would only be slow.
func (app *App) limitMemory() (end func()) {
	limit, growth := debug.SetMemoryLimit(-1), -1
	if value, _ := app.Env("GOMEMLIMIT"); value == "" {
		debug.SetMemoryLimit(copyMemory)
	}
	if value, _ := app.Env("GOGC"); value == "" {
		growth = debug.SetGCPercent(copyGrowth)
	}
	return func() {
		debug.SetMemoryLimit(limit)
		if growth >= 0 {
			debug.SetGCPercent(growth)
		}
	}
}
