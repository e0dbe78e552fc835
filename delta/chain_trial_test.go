//go:build trial

package delta_test

import "testing"

// TestTrialChain rebuilds ten versions, each from the one before it.
func TestTrialChain(t *testing.T) {
	t.Parallel()
	chain(t, 10, modules+1)
}
