//go:build trial

package deflate

import (
	"os"
	"testing"
)

// TestTrialHostileDescriptions rebuilds from damaged descriptions: 250,000 in half a minute, and with
// ECRKIT_TRIAL=full five million in ten.
func TestTrialHostileDescriptions(t *testing.T) {
	t.Parallel()
	n := 250_000
	if os.Getenv("ECRKIT_TRIAL") == "full" {
		n = 5_000_000
	}
	hostileDescriptions(t, n)
}
