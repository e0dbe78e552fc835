//go:build trial

package localecr_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ecrkit/ecrkit/internal/test/binaries"
)

// TestTrialKilledServerLosesNothing kills the built binary a hundred times.
func TestTrialKilledServerLosesNothing(t *testing.T) {
	t.Parallel()
	bin := filepath.Join(t.TempDir(), "ecrkit")
	if err := binaries.Build(filepath.Dir(bin), "cmd/ecrkit"); err != nil {
		t.Fatal(err)
	}
	killServer(t, 100, 5<<20, func(dir string) *exec.Cmd {
		return exec.Command(bin, "local", "--addr", "127.0.0.1:0", "--data", dir, "--quiet")
	})
}
