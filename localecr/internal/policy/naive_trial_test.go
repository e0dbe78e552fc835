//go:build trial

package policy

import "testing"

func TestTrialMatrix(t *testing.T) {
	t.Parallel()
	compareEvaluators(t, 100_000, 2)
}
