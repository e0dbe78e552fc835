//go:build trial

package lifecycle

import "testing"

func TestTrialAgainstNaive(t *testing.T) { compareWithNaive(t, 100_000) }

func TestTrialUnknownIndexes(t *testing.T) { checkUnknownIndexes(t, 5_000) }

func TestTrialShadowed(t *testing.T) { checkShadowed(t, 3_000) }
