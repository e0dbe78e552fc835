//go:build trial && linux && !race

package transfertrial

import (
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestTrialManyTags guards the memory that commands need for 20,000 tags: one and a half of what was seen. All hold
// something of each image.
func TestTrialManyTags(t *testing.T) {
	t.Parallel()
	s := start(t, localecr.Options{})
	putSmall(t, s, 200, 100)
	config, dir := s.mirrorConfig(t, "copy"), filepath.Join(t.TempDir(), "set")
	s.memory(t, 115*mib, "--output", "json", "mirror", "plan", config)
	s.memory(t, 172*mib, "--output", "json", "mirror", "export", config, "--to", dir)
	s.memory(t, 172*mib, "--output", "json", "mirror", "export", config, "--to", dir)
	s.memory(t, 78*mib, "--output", "json", "mirror", "ls", dir)
	s.memory(t, 124*mib, "--output", "json", "mirror", "verify", dir)
	s.memory(t, 147*mib, "--output", "json", "mirror", "import", dir, s.registry+"/far", "--dry-run")
}
