//go:build trial && linux

package transfertrial

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// full reports whether the trials have the sizes of the layers that people push. They
// take an hour then, and 20 GiB of the disk.
var full = os.Getenv("ECRKIT_TRIAL") == "full"

func TestTrialKill(t *testing.T) {
	t.Parallel()
	if full {
		kill(t, 100, gib, 8)
		return
	}
	kill(t, 10, 96*mib, 8)
}

func TestTrialMirrorKill(t *testing.T) {
	t.Parallel()
	mirrorKill(t, 20, 0, 16*mib, 3*mib, mib)
}

// TestTrialMirrorExportKill bounds what is moved again by the four connections that it allows.
func TestTrialMirrorExportKill(t *testing.T) {
	t.Parallel()
	mirrorKill(t, 6, 4, 96*mib, 48*mib, mib)
}

func TestTrialInterrupt(t *testing.T) {
	t.Parallel()
	interrupt(t, 96*mib, 8, syscall.SIGTERM, syscall.SIGINT)
}

func TestTrialNotes(t *testing.T) {
	t.Parallel()
	notes(t)
}

func TestTrialMemory(t *testing.T) {
	t.Parallel()
	images := map[string][]int64{"one layer": {128 * mib}, "16 layers": repeat(12*mib, 16)}
	if full {
		images = map[string][]int64{"1 GiB": {gib}, "10 GiB": {10 * gib}, "16 layers of 256 MiB": repeat(256*mib, 16)}
	}
	for name, sizes := range images {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			memory(t, sizes...)
		})
	}
}

func TestTrialResets(t *testing.T) {
	t.Parallel()
	if full {
		reset(t, 10, gib)
		return
	}
	reset(t, 4, 60*mib) // in parts: a larger layer may go as one request
}

// TestTrialStall has one connection hang for good in a push of a layer: it is replaced,
// after the time that a server may need to answer.
func TestTrialStall(t *testing.T) {
	t.Parallel()
	m := makeImage(t, random, 40*mib)
	s := startPlain(t, localecr.Options{})
	check(t, s.server.SetFaults(localecr.Fault{Op: "UploadLayerPart", Nth: 2, Stall: time.Hour}))
	s.run("push", "-q", "oci:"+m.dir, s.image("app", "x"))
	s.nothingLeft()
	dst := filepath.Join(t.TempDir(), "dst")
	s.run("pull", "-q", s.image("app", "x"), "oci:"+dst)
	m.checkLayout(t, dst)
}

func TestTrialProxyNeeds(t *testing.T) {
	t.Parallel()
	images := map[string][]int64{"4 layers": repeat(128*mib, 4), "16 layers": repeat(32*mib, 16)}
	if full {
		images = map[string][]int64{"4 layers of 1 GiB": repeat(gib, 4), "16 layers of 256 MiB": repeat(256*mib, 16)}
	}
	for name, sizes := range images {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxyNeeds(t, time.Minute, sizes...)
		})
	}
}

// TestTrialProxyKill kills 50 times in all, in five caches at once.
func TestTrialProxyKill(t *testing.T) {
	t.Parallel()
	for i := range uint64(5) {
		t.Run(fmt.Sprintf("cache %d", i), func(t *testing.T) {
			t.Parallel()
			start(t, localecr.Options{}).proxyKill(10, i, 40*mib, 16*mib, mib)
		})
	}
}

func TestTrialProxyKillPlain(t *testing.T) {
	t.Parallel()
	for i := range uint64(5) {
		t.Run(fmt.Sprintf("cache %d", i), func(t *testing.T) {
			t.Parallel()
			startOther(t).proxyKill(10, i, 20*mib, 8*mib, mib)
		})
	}
}
