//go:build linux

package transfertrial

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestStall has one connection hang for good in a pull of a layer: it is replaced.
// With ECRKIT_TRIAL=full in a push too, which waits for a while before it does so.
func TestStall(t *testing.T) {
	m := makeImage(t, random, 48*mib)
	s := startPlain(t, localecr.Options{})
	if full {
		check(t, s.server.SetFaults(localecr.Fault{Op: "UploadLayerPart", Nth: 2, Stall: time.Hour}))
	}
	s.run("push", "-q", "oci:"+m.dir, s.image("app", "x"))
	s.nothingLeft()

	check(t, s.server.SetFaults(localecr.Fault{Op: getLayer, Nth: 4, Stall: time.Hour, StallAfter: mib}))
	dst := filepath.Join(t.TempDir(), "dst")
	s.run("pull", "-q", s.image("app", "x"), "oci:"+dst)
	s.nothingLeft(dst)
	m.checkLayout(t, dst)
}
