//go:build trial

package policy

import (
	"fmt"
	"testing"
)

// TestTrialMatrix compares the evaluators in 100,000 cases.
func TestTrialMatrix(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprintf("seed %d", seed+2), func(t *testing.T) {
			t.Parallel()
			compareEvaluators(t, 50_000, seed+2)
		})
	}
}
