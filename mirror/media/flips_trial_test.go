//go:build trial

package media

import "testing"

func TestTrialFlips(t *testing.T) { flips(t, 1000) }
