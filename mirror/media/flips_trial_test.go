//go:build trial

package media

import "testing"

func TestTrialFlips(t *testing.T) { flips(t, 1000) }

func TestTrialRepairFlips(t *testing.T) { repairFlips(t, 20) }

func TestTrialRepair(t *testing.T) { repairEach(t, func(int, int) bool { return true }) }

func TestTrialChain(t *testing.T) { chain(t, 20) }
