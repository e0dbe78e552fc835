//go:build trial

package registry

import "testing"

func TestTrialALongTimeIsLikeManyDays(t *testing.T) {
	t.Parallel()
	compareDays(t, 15)
}
