//go:build linux

package transfertrial

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestTogether has several processes push the same layer, and several pull it into
// one layout, at the same time.
func TestTogether(t *testing.T) {
	t.Parallel()
	const processes, size = 3, 24 * mib
	m := makeImage(t, random, size)
	s := start(t, localecr.Options{})
	s.together(t, processes, "push", "-q", "oci:"+m.dir, s.image("app", "x"))
	s.nothingLeft()

	dst := filepath.Join(t.TempDir(), "dst")
	before := s.meter.down.Load()
	s.together(t, processes, "pull", "-q", s.image("app", "x"), "oci:"+dst)
	s.nothingLeft(dst)
	m.checkLayout(t, dst)
	// Who comes later waits for the one that has the layer's file, and takes it.
	if got := s.meter.down.Load() - before; got > size+mib {
		t.Errorf("%d bytes came for a layer of %d", got, int64(size))
	}
}

// together runs ecrkit several times at once.
func (s *site) together(t *testing.T, n int, args ...string) {
	t.Helper()
	var group sync.WaitGroup
	for range n {
		cmd := s.command(args...)
		group.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("ecrkit %s: %v\n%s", strings.Join(args, " "), err, out)
			}
		})
	}
	group.Wait()
}
