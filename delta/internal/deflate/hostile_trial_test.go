//go:build trial

package deflate

import "testing"

// TestTrialHostileDescriptions rebuilds from five million damaged descriptions.
func TestTrialHostileDescriptions(t *testing.T) {
	t.Parallel()
	hostileDescriptions(t, 5_000_000)
}
