package cli

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"

	"github.com/ecrkit/ecrkit/internal/codepages"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const (
	// copyMemory is from how many bytes on the garbage collector works harder during a copy:
	// one between registries holds 80 MiB of parts, which would let the heap grow to twice
	// that. More is used if it is needed.
	copyMemory = 112 << 20

	// mirrorMemory and mirrorParts are the same for a mirror, whose copies share 40 MiB for their parts. The rest of
	// the heap, stacks and what the runtime needs take about 14 MiB: of a higher limit, only garbage makes use.
	mirrorMemory, mirrorParts = 60 << 20, 40 << 20

	// planMemory is the soft limit of planning a mirror: what the plan of 100,000 tags needs, and little garbage.
	planMemory = 176 << 20

	// exportMemory is the soft limit of an export: what 100,000 images need, and little garbage.
	exportMemory = 144 << 20

	// listMemory is the soft limit of listing a set: what 100,000 images need, and little garbage.
	listMemory = 96 << 20

	// localMemory is the soft limit of the local ECR. All but a lifecycle preview of tens of thousands of images needs
	// less than half of it, which is why the heap may grow by localGrowth percent: a tenth of its CPU time is saved.
	localMemory, localGrowth = 56 << 20, 200

	// copyGrowth is by how many percent the heap of a copy may grow before it is collected.
	// Little of it is garbage, so that half of Go's default saves 1 MiB and costs no
	// measurable CPU time.
	copyGrowth = 50

	// proxyGrowth is the same for the proxy: 16 layers at once take 6 MiB less than with copyGrowth.
	proxyGrowth = 25
	// proxyRoom is how many bytes the garbage collector counts in the proxy that take no memory: proxyGrowth of the 4 MiB of
	// an idle proxy is used up by four small layers, and a collection takes as much processor time as they do.
	proxyRoom = 16 << 20
)

// withRoom has the garbage collector count n more bytes as in use until end is called, unless GOMEMLIMIT or GOGC is
// set. Nothing is written to them, so the operating system provides none of them.
func (app *App) withRoom(n int) (end func()) {
	for _, name := range []string{"GOMEMLIMIT", "GOGC"} {
		if value, _ := app.Env(name); value != "" {
			return func() {}
		}
	}
	room := make([]byte, n)
	return func() { runtime.KeepAlive(room) }
}

// limitMemory sets the soft limit and the growth of a copy, unless GOMEMLIMIT and GOGC set
// them, and returns what ends that. Most other commands have no such limits: one that needs more
// would only be slow.
func (app *App) limitMemory() (end func()) { return app.limitMemoryTo(copyMemory) }

// limitMemoryTo is limitMemory with another soft limit, in bytes.
func (app *App) limitMemoryTo(most int64) (end func()) { return app.tuneMemory(most, copyGrowth) }

// tuneMemory is limitMemory with another soft limit, in bytes, and growth, in percent.
func (app *App) tuneMemory(most int64, percent int) (end func()) {
	limit, growth := debug.SetMemoryLimit(-1), -1
	if value, _ := app.Env("GOMEMLIMIT"); value == "" {
		debug.SetMemoryLimit(most)
	}
	if value, _ := app.Env("GOGC"); value == "" {
		growth = debug.SetGCPercent(percent)
	}
	return func() {
		debug.SetMemoryLimit(limit)
		if growth >= 0 {
			debug.SetGCPercent(growth)
		}
	}
}

// releasing returns handle, which takes the events of copies, with this added: at the first event of each kind, the code
// of the step before is released, before the buffers of the next one need memory.
func releasing(handle func(content.Event)) func(content.Event) {
	var seen sync.Map // kind
	return func(e content.Event) {
		if _, known := seen.Load(e.Kind); !known {
			if _, known = seen.LoadOrStore(e.Kind, true); !known {
				codepages.Release()
			}
		}
		handle(e)
	}
}

// liveMemory returns how many bytes the heap has: the plan of a mirror, before it is applied.
func liveMemory() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}
