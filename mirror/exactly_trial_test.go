//go:build trial

package mirror_test

import "testing"

func TestTrialAppliesExactlyThePlan(t *testing.T) { appliesExactly(t, 60) }
