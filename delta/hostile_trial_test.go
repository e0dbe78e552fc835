//go:build trial

package delta

import "testing"

// TestTrialHostilePatches reads five million damaged patches.
func TestTrialHostilePatches(t *testing.T) {
	t.Parallel()
	hostilePatches(t, 5_000_000)
}
