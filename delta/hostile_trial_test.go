//go:build trial

package delta

import (
	"os"
	"testing"
)

// TestTrialHostilePatches reads damaged patches: 250,000 in half a minute, and with ECRKIT_TRIAL=full five million in
// ten.
func TestTrialHostilePatches(t *testing.T) {
	t.Parallel()
	n := 250_000
	if os.Getenv("ECRKIT_TRIAL") == "full" {
		n = 5_000_000
	}
	hostilePatches(t, n)
}
