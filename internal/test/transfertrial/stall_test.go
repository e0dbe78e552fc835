//go:build linux

package transfertrial

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestStall has one connection hang for good in a pull of a layer: it is replaced.
func TestStall(t *testing.T) {
	t.Parallel()
	m := makeImage(t, random, 40*mib)
	s := startPlain(t, localecr.Options{})
	s.run("push", "-q", "oci:"+m.dir, s.image("app", "x"))

	check(t, s.server.SetFaults(localecr.Fault{Op: getLayer, Nth: 4, Stall: time.Hour, StallAfter: mib}))
	dst := filepath.Join(t.TempDir(), "dst")
	s.run("pull", "-q", s.image("app", "x"), "oci:"+dst)
	s.nothingLeft(dst)
	m.checkLayout(t, dst)
}
